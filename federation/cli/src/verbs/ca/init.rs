//! `ca init`: the root of a clusterset, the authority of its own trust domain, and a first operator.

use federation_model::TrustDomain;
use federation_trust::ca::{KeyKind, Root};

use super::files::Target;
use super::{Made, admin, lifetime, made, trust};
use crate::failure::Failure;

/// An operator's certificate that `init` makes along with the authority, in days.
const FIRST_ADMIN_DAYS: u64 = 365;

/// A new root, under it the authority of `clusterset`, and its first operator. The root is not needed again until a
/// cluster is given an authority, and belongs where no server is.
///
/// # Errors
/// When a file is there already, or cannot be written.
pub fn init(clusterset: &TrustDomain, out: Target<'_>, days: u64, kind: KeyKind) -> Result<Made, Failure> {
    let root = Root::create(kind, lifetime(days)).map_err(|error| trust(&error))?;
    let authority = root.issue(clusterset, kind, lifetime(days)).map_err(|error| trust(&error))?;
    let mut files = out.write(&[
        ("root-cert.pem", &root.chain().to_pem()),
        ("root-key.pem", &root.key_pem()),
        // Alone: whoever believes what is in this file must not believe what the root signs for others.
        ("ca.pem", &authority.cert_pem()),
        ("ca-key.pem", &authority.key_pem()),
    ])?;
    let admin_dir = out.dir.join("admin");
    let admin = Target { dir: &admin_dir, ..out };
    files.extend(admin::issue(&authority, "operator", admin, days.min(FIRST_ADMIN_DAYS))?);
    Ok(made(&authority, files))
}
