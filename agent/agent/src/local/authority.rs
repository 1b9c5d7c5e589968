//! The CA of this cluster's trust domain. Its key never leaves this agent's directory, or the file that was given.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use federation_kit::exit::{Exit, Failure};
use federation_kit::files::{self, FileError};
use federation_model::bundle::AuthorityDer;
use federation_model::{Bundle, TrustDomain};
use federation_trust::lifetime::BACK_DATING;
use federation_trust::pem::{read_certificates, write_certificates};
use federation_trust::svid::lifetime_of;
use federation_trust::{Authority, Lifetime, TrustError};

use rustls_pki_types::CertificateDer;

use super::data_dir::{DataDir, MAX_FILE};

/// How long an authority of our making holds.
const LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// How often those who hold the bundle should look for another, in seconds (`spiffe_refresh_hint`).
const REFRESH_HINT: u32 = 300;
const CERT: &str = "ca.pem";
const KEY: &str = "ca.key";
/// What the bundle says of the authority: its own certificate, or itself as its own root if somebody else signed it. Outlives
/// the authority, so that the next one begins later.
const ANCHOR: &str = "ca-anchor.pem";

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file cannot be read or written.
    #[error("authority of the cluster")]
    File(#[from] FileError),
    /// A file is not text.
    #[error("{} is not PEM text", .0.display())]
    NotText(PathBuf),
    /// There is a certificate without its key, or a key without its certificate: one of them was lost, and making new
    /// ones would cut off everything that trusts the old.
    #[error("{} is missing although {} is there; restore it, or remove both", missing.display(), present.display())]
    Half {
        /// What is not there.
        missing: PathBuf,
        /// What is.
        present: PathBuf,
    },
    /// They cannot be used.
    #[error("{} cannot be used", path.display())]
    Trust {
        /// The certificate.
        path: PathBuf,
        /// Why.
        #[source]
        source: TrustError,
    },
}

impl From<AuthorityError> for Failure {
    fn from(error: AuthorityError) -> Self {
        Self::new(Exit::Io, error)
    }
}

/// The authority: the given one, else the one in the directory, else a new one, which is kept there. Blocks on the
/// disk.
///
/// # Errors
/// When it cannot be read, made or kept, or is of another domain.
pub fn load_or_create(
    data: &DataDir,
    domain: &TrustDomain,
    given: Option<&(PathBuf, PathBuf)>,
) -> Result<Authority, AuthorityError> {
    let own = (data.file(CERT), data.file(KEY));
    let (cert, key) = given.unwrap_or(&own);
    let half = |missing: &Path, present: &Path| AuthorityError::Half {
        missing: missing.to_owned(),
        present: present.to_owned(),
    };
    match (read(cert)?, read(key)?) {
        (Some(cert_pem), Some(key_pem)) => Authority::load(domain, &cert_pem, &key_pem)
            .map_err(|source| AuthorityError::Trust { path: cert.clone(), source }),
        (None, Some(_)) => Err(half(cert, key)),
        (Some(_), None) => Err(half(key, cert)),
        // Given files must be there.
        (None, None) if given.is_some() => Err(half(cert, key)),
        (None, None) => create(domain, cert, key, begins(kept_anchor(data)?.as_ref())),
    }
}

/// The key is written first: a crash in between leaves a key without a certificate, which is told and not replaced.
/// One that replaces another begins after it, so that the sequence of its bundle is greater.
fn create(
    domain: &TrustDomain,
    cert: &Path,
    key: &Path,
    replaced: Option<i64>,
) -> Result<Authority, AuthorityError> {
    let mut lifetime = Lifetime::starting_at(SystemTime::now(), LIFETIME);
    lifetime.not_before = lifetime.not_before.max(replaced.map_or(i64::MIN, |begun| begun.saturating_add(1)));
    let made = Authority::create(domain, lifetime);
    let authority = made.map_err(|source| AuthorityError::Trust { path: cert.to_owned(), source })?;
    files::write_atomic(key, authority.key_pem().as_bytes(), 0o600)?;
    files::write_atomic(cert, authority.cert_pem().as_bytes(), 0o644)?;
    tracing::info!(%domain, sha256 = authority.fingerprint_hex(), "made an authority for this cluster");
    Ok(authority)
}

/// What the federation is told: the authority as its own root, whoever signed it. That is kept in the directory once it
/// is made, so that the bundle changes only with the authority; the sequence grows then. Blocks on the disk.
///
/// # Errors
/// When it cannot be made or kept.
pub fn bundle(data: &DataDir, authority: &Authority) -> Result<Bundle, AuthorityError> {
    let path = data.file(ANCHOR);
    let trust = |source| AuthorityError::Trust { path: path.clone(), source };
    // One that is damaged, or another authority's, is made again.
    let kept = kept_anchor(data)?;
    let replaced = begins(kept.as_ref());
    let anchor = match kept.filter(|anchor| authority.is_anchored_by(anchor)) {
        Some(kept) => kept,
        None => {
            let anchor = authority.anchor(after(replaced)).map_err(trust)?;
            files::write_atomic(&path, write_certificates([&anchor]).as_bytes(), 0o644)?;
            anchor
        }
    };
    let begins = lifetime_of(&anchor).map_err(|error| trust(TrustError::Svid(error)))?.not_before;
    Ok(Bundle {
        trust_domain: authority.domain().clone(),
        authorities: vec![AuthorityDer(anchor.to_vec())],
        sequence: u64::try_from(begins).unwrap_or(0).max(1),
        refresh_hint: REFRESH_HINT,
    })
}

/// What the bundle said last, whosever authority it was; none if it cannot be read.
fn kept_anchor(data: &DataDir) -> Result<Option<CertificateDer<'static>>, AuthorityError> {
    Ok(read(&data.file(ANCHOR))?.and_then(|text| read_certificates(&text).ok()?.into_iter().next()))
}

fn begins(anchor: Option<&CertificateDer<'static>>) -> Option<i64> {
    anchor.and_then(|anchor| lifetime_of(anchor).ok()).map(|lifetime| lifetime.not_before)
}

/// Now, or as much later as it takes for what is dated back from it to begin after what it replaces.
fn after(replaced: Option<i64>) -> SystemTime {
    let begun = replaced.and_then(|begun| u64::try_from(begun).ok()).map(Duration::from_secs);
    let earliest = begun.map(|begun| SystemTime::UNIX_EPOCH + begun + BACK_DATING + Duration::from_secs(1));
    earliest.map_or_else(SystemTime::now, |earliest| earliest.max(SystemTime::now()))
}

fn read(path: &Path) -> Result<Option<String>, AuthorityError> {
    match files::read_bounded(path, MAX_FILE) {
        Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| AuthorityError::NotText(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use federation_trust::ca::{KeyKind, Root};

    use super::*;

    fn data(path: &Path) -> DataDir {
        DataDir::open(path, &"lab".parse().unwrap(), &"east".parse().unwrap()).unwrap()
    }

    #[test]
    fn it_is_made_once_and_its_key_is_private() {
        let root = tempfile::tempdir().unwrap();
        let (data, domain) = (data(root.path()), "east.lab".parse().unwrap());
        let first = load_or_create(&data, &domain, None).unwrap();
        let second = load_or_create(&data, &domain, None).unwrap();
        assert_eq!(first.fingerprint_hex(), second.fingerprint_hex());
        assert_eq!(bundle(&data, &first).unwrap(), bundle(&data, &second).unwrap());
        let mode = std::fs::metadata(data.file(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn an_authority_under_a_root_is_announced_as_its_own_root_and_always_the_same() {
        let root = tempfile::tempdir().unwrap();
        let (data, domain) = (data(root.path()), "east.lab".parse().unwrap());
        let lifetime = Lifetime::starting_at(SystemTime::now(), LIFETIME);
        let shared = Root::create(KeyKind::EcdsaP256, lifetime).unwrap();
        let issue = || shared.issue(&domain, KeyKind::EcdsaP256, lifetime).unwrap();
        let authority = issue();
        let first = bundle(&data, &authority).unwrap();
        assert_ne!(first.authorities, [authority.bundle_authority()]);
        assert_eq!(bundle(&data, &authority).unwrap(), first);
        let other = bundle(&data, &issue()).unwrap();
        assert_ne!(other.authorities, first.authorities);
        assert!(other.sequence > first.sequence, "in the same second");
        std::fs::write(data.file(ANCHOR), "damaged").unwrap();
        assert!(bundle(&data, &authority).is_ok());
    }

    #[test]
    fn one_that_replaces_another_in_the_same_second_has_a_greater_sequence() {
        let root = tempfile::tempdir().unwrap();
        let (data, domain) = (data(root.path()), "east.lab".parse().unwrap());
        let mut sequence = 0;
        for _ in 0..5 {
            let authority = load_or_create(&data, &domain, None).unwrap();
            let bundle = bundle(&data, &authority).unwrap();
            assert!(bundle.sequence > sequence, "{} after {sequence}", bundle.sequence);
            sequence = bundle.sequence;
            std::fs::remove_file(data.file(KEY)).unwrap();
            std::fs::remove_file(data.file(CERT)).unwrap();
        }
    }

    #[test]
    fn half_of_one_and_one_of_another_domain_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let (data, domain) = (data(root.path()), "east.lab".parse().unwrap());
        load_or_create(&data, &domain, None).unwrap();
        let other = load_or_create(&data, &"west.lab".parse().unwrap(), None);
        assert!(matches!(other, Err(AuthorityError::Trust { .. })));
        std::fs::remove_file(data.file(KEY)).unwrap();
        assert!(matches!(load_or_create(&data, &domain, None), Err(AuthorityError::Half { .. })));
        let given = (root.path().join("no.pem"), root.path().join("no.key"));
        assert!(matches!(load_or_create(&data, &domain, Some(&given)), Err(AuthorityError::Half { .. })));
    }
}
