//! The certificates that a lab begins with: the clusterset's authority and one operator. All others are issued by the
//! real thing, when agents join and gateways ask.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use federation_model::{SpiffeId, TrustDomain};
use federation_trust::authority::Authority;
use federation_trust::csr;
use federation_trust::identity::Identity;
use federation_trust::infra::admin_id;
use federation_trust::key::PrivateKey;
use federation_trust::lifetime::Lifetime;

use crate::layout::{Layout, make_private};

/// Longer than any lab lives.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// Makes `ca/` and `admin/`.
pub fn create(layout: &Layout, clusterset: &TrustDomain) -> anyhow::Result<()> {
    let authority = new_authority(clusterset)?;
    make_private(&layout.ca())?;
    write_secret(&layout.ca().join("cert.pem"), &authority.cert_pem())?;
    write_secret(&layout.ca().join("key.pem"), &authority.key_pem())?;

    let admin = issue(&authority, &admin_id(clusterset, "lab")?)?;
    let (chain, key) = admin.to_pem();
    make_private(&layout.admin())?;
    write_secret(&layout.admin().join("cert.pem"), &chain)?;
    write_secret(&layout.admin().join("key.pem"), &key)?;
    write_secret(&layout.admin().join("ca.pem"), &authority.cert_pem())
}

/// A fresh authority of `domain`: also how the tour makes a foreign one.
pub fn new_authority(domain: &TrustDomain) -> anyhow::Result<Authority> {
    Ok(Authority::create(domain, Lifetime::starting_at(SystemTime::now(), LIFETIME))?)
}

/// A certificate of `authority` for a fresh key.
pub fn issue(authority: &Authority, id: &SpiffeId) -> anyhow::Result<Identity> {
    let key = PrivateKey::generate()?;
    let request = csr::verified_key(&key.csr()?.0)?;
    let chain = authority.issue(&request, id, Lifetime::starting_at(SystemTime::now(), LIFETIME))?;
    Ok(Identity::new(chain, &key)?)
}

/// Writes a file that only its owner may read.
pub fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}
