//! `ca`: the clusterset's own authority and operators' certificates, made on this machine. No server is asked.
//!
//! Files with keys are readable by their owner only, and none that is there already is ever replaced: a clusterset
//! whose authority is overwritten has lost every one of its members.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use federation_model::TrustDomain;
use federation_trust::authority::Authority;
use federation_trust::infra::admin_id;
use federation_trust::lifetime::Lifetime;
use federation_trust::{Identity, PrivateKey, TrustError, csr};
use serde::Serialize;

use crate::failure::{Failure, Kind};
use crate::output::Report;

const DAY: u64 = 24 * 3600;
/// An operator's certificate that `init` makes along with the authority, in days.
const FIRST_ADMIN_DAYS: u64 = 365;
/// The largest PEM file that is read.
const MAX_PEM: u64 = 64 * 1024;

/// The answer: what was made, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// The clusterset.
    pub clusterset: String,
    /// SHA-256 of the authority's certificate: join tokens carry it.
    pub ca_sha256: String,
    /// What was written.
    pub files: Vec<PathBuf>,
}

impl Report for Made {
    fn to_text(&self) -> String {
        let mut text = format!("clusterset {}, authority {}\n", self.clusterset, self.ca_sha256);
        for file in &self.files {
            text.push_str(&format!("  {}\n", file.display()));
        }
        text
    }
}

/// A new authority of `clusterset`, and its first operator.
///
/// # Errors
/// When a file is there already, or cannot be written.
pub fn init(clusterset: &TrustDomain, out: &Path, days: u64) -> Result<Made, Failure> {
    let authority = Authority::create(clusterset, lifetime(days)).map_err(trust)?;
    make_directory(out)?;
    let mut files = Vec::new();
    // The key first: were it there already, nothing would be written at all.
    files.push(write_new(&out.join("ca-key.pem"), &authority.key_pem())?);
    files.push(write_new(&out.join("ca.pem"), &authority.cert_pem())?);
    files.extend(issue_admin(&authority, "operator", &out.join("admin"), days.min(FIRST_ADMIN_DAYS))?);
    Ok(made(&authority, files))
}

/// One more operator of `clusterset`, signed by its authority in `ca`.
///
/// # Errors
/// When there is no usable authority of `clusterset` in `ca`, or a file is there already or cannot be written.
pub fn admin(
    clusterset: &TrustDomain,
    ca: &Path,
    name: &str,
    out: &Path,
    days: u64,
) -> Result<Made, Failure> {
    let (certificate, key) = (read(&ca.join("ca.pem"))?, read(&ca.join("ca-key.pem"))?);
    let authority = Authority::load(clusterset, &certificate, &key).map_err(trust)?;
    let files = issue_admin(&authority, name, out, days)?;
    Ok(made(&authority, files))
}

fn made(authority: &Authority, files: Vec<PathBuf>) -> Made {
    Made { clusterset: authority.domain().to_string(), ca_sha256: authority.fingerprint_hex(), files }
}

fn issue_admin(authority: &Authority, name: &str, out: &Path, days: u64) -> Result<Vec<PathBuf>, Failure> {
    let id = admin_id(authority.domain(), name)
        .map_err(|error| Failure::new(Kind::Usage, format!("{name:?} cannot name an operator: {error}")))?;
    let key = PrivateKey::generate().map_err(trust)?;
    let request = key.csr().map_err(trust)?;
    let request =
        csr::verified_key(&request.0).map_err(|error| Failure::new(Kind::Refused, error.to_string()))?;
    let chain = authority.issue(&request, &id, lifetime(days)).map_err(trust)?;
    let (chain, key) = Identity::new(chain, &key).map_err(trust)?.to_pem();
    make_directory(out)?;
    Ok(vec![
        write_new(&out.join("key.pem"), &key)?,
        write_new(&out.join("cert.pem"), &chain)?,
        write_new(&out.join("ca.pem"), &authority.cert_pem())?,
    ])
}

fn lifetime(days: u64) -> Lifetime {
    Lifetime::starting_at(SystemTime::now(), Duration::from_secs(days.saturating_mul(DAY)))
}

fn make_directory(path: &Path) -> Result<(), Failure> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| Failure::new(Kind::Refused, format!("cannot make {}: {error}", path.display())))
}

fn write_new(path: &Path, text: &str) -> Result<PathBuf, Failure> {
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    match written {
        Ok(()) => Ok(path.to_owned()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(Failure::new(Kind::Refused, format!("{} is there already", path.display()))
                .next("Nothing is overwritten: choose another directory, or move the old one away."))
        }
        Err(error) => Err(Failure::new(Kind::Refused, format!("cannot write {}: {error}", path.display()))),
    }
}

fn read(path: &Path) -> Result<zeroize::Zeroizing<String>, Failure> {
    let failed = |error: String| {
        Failure::new(Kind::Usage, format!("cannot read {}: {error}", path.display()))
            .next("Name the directory that `isthmus ca init` made.")
    };
    let size = fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > MAX_PEM {
        return Err(failed(format!("it has {size} bytes, and no PEM file here has more than {MAX_PEM}")));
    }
    fs::read_to_string(path).map(zeroize::Zeroizing::new).map_err(|error| failed(error.to_string()))
}

fn trust(error: TrustError) -> Failure {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    Failure::new(Kind::Refused, text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn lab() -> TrustDomain {
        "lab".parse().unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_authority_comes_with_an_operator_whom_it_vouches_for() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("ca");
        let made = init(&lab(), &out, 3650).unwrap();
        assert_eq!(made.files.len(), 5);
        for file in &made.files {
            assert_eq!(mode(file), 0o600, "{}", file.display());
        }
        assert_eq!(mode(&out), 0o700);

        let text = |name: &str| fs::read_to_string(out.join(name)).unwrap();
        let authority = Authority::load(&lab(), &text("ca.pem"), &text("ca-key.pem")).unwrap();
        assert_eq!(made.ca_sha256, authority.fingerprint_hex());
        let operator = Identity::from_pem(&text("admin/cert.pem"), &text("admin/key.pem")).unwrap();
        assert_eq!(operator.id().to_string(), "spiffe://lab/isthmus/admin/operator");
        assert_eq!(text("admin/ca.pem"), text("ca.pem"));
    }

    #[test]
    fn nothing_is_ever_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        init(&lab(), dir.path(), 10).unwrap();
        let before = fs::read_to_string(dir.path().join("ca.pem")).unwrap();
        let failure = init(&lab(), dir.path(), 10).unwrap_err();
        assert_eq!(failure.kind(), Kind::Refused);
        assert!(failure.to_string().contains("ca-key.pem is there already"), "{failure}");
        assert_eq!(fs::read_to_string(dir.path().join("ca.pem")).unwrap(), before);
    }

    #[test]
    fn more_operators_are_signed_by_the_same_authority() {
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("ca");
        let first = init(&lab(), &ca, 3650).unwrap();
        let out = dir.path().join("alice");
        let second = admin(&lab(), &ca, "alice", &out, 30).unwrap();
        assert_eq!((second.clusterset.as_str(), second.ca_sha256), ("lab", first.ca_sha256));
        let text = |name: &str| fs::read_to_string(out.join(name)).unwrap();
        let alice = Identity::from_pem(&text("cert.pem"), &text("key.pem")).unwrap();
        assert_eq!(alice.id().to_string(), "spiffe://lab/isthmus/admin/alice");
    }

    #[test]
    fn what_is_no_authority_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let failure = admin(&lab(), dir.path(), "alice", &dir.path().join("out"), 1).unwrap_err();
        assert!(failure.to_string().contains("ca init"), "{failure}");
        fs::write(dir.path().join("ca.pem"), "no certificate").unwrap();
        fs::write(dir.path().join("ca-key.pem"), "no key").unwrap();
        assert!(admin(&lab(), dir.path(), "alice", &dir.path().join("out"), 1).is_err());
        let ca = dir.path().join("ca");
        init(&lab(), &ca, 1).unwrap();
        let failure = admin(&lab(), &ca, "no/slash or space", &dir.path().join("out"), 1).unwrap_err();
        assert_eq!(failure.kind(), Kind::Usage);
    }
}
