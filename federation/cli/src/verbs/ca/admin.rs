//! `ca admin`: an operator's certificate.

use std::path::{Path, PathBuf};

use federation_model::TrustDomain;
use federation_trust::infra::admin_id;
use federation_trust::{Authority, Identity, PrivateKey, TrustError, csr};

use super::files::{self, Target};
use super::{Made, lifetime, made, trust};
use crate::failure::{Failure, Kind};

/// One more operator of `clusterset`, signed by its authority in `ca`.
///
/// # Errors
/// When there is no usable authority of `clusterset` in `ca`, or a file is there already or cannot be written.
pub fn admin(
    clusterset: &TrustDomain,
    ca: &Path,
    name: &str,
    out: Target<'_>,
    days: u64,
) -> Result<Made, Failure> {
    let read = |name| {
        files::read(&ca.join(name))
            .map_err(|failure| failure.next("Name the directory that `isthmus ca init` made."))
    };
    let authority =
        Authority::load(clusterset, &read("ca.pem")?, &read("ca-key.pem")?).map_err(|error| trust(&error))?;
    let files = issue(&authority, name, out, days)?;
    Ok(made(&authority, files))
}

/// An operator's key and certificate, and the authority that vouches for the servers.
pub(super) fn issue(
    authority: &Authority,
    name: &str,
    out: Target<'_>,
    days: u64,
) -> Result<Vec<PathBuf>, Failure> {
    let id = admin_id(authority.domain(), name)
        .map_err(|error| Failure::new(Kind::Usage, format!("{name:?} cannot name an operator: {error}")))?;
    let identity = || -> Result<Identity, TrustError> {
        let key = PrivateKey::generate()?;
        let request = csr::verified_key(&key.csr()?.0).map_err(TrustError::Csr)?;
        Identity::new(authority.issue(&request, &id, lifetime(days))?, &key)
    };
    let (chain, key) = identity().map_err(|error| trust(&error))?.to_pem();
    out.write(&[("key.pem", &key), ("cert.pem", &chain), ("ca.pem", &authority.cert_pem())])
}
