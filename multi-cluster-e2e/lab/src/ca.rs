//! The certificates that a lab begins with: the clusterset's authority and one operator, and those of the clusters if they
//! share a root. All others are issued by the real thing, when agents join and gateways ask.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use federation_model::{SpiffeId, TrustDomain};
use federation_trust::authority::Authority;
use federation_trust::ca::{KeyKind, Root};
use federation_trust::csr;
use federation_trust::identity::Identity;
use federation_trust::infra::admin_id;
use federation_trust::key::PrivateKey;
use federation_trust::lifetime::Lifetime;

use crate::layout::{Layout, make_private};
use crate::topology::Topology;

/// Longer than any lab lives.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// Makes `ca/` and `admin/`.
pub fn create(layout: &Layout, clusterset: &TrustDomain) -> anyhow::Result<()> {
    write(layout, &new_authority(clusterset)?)
}

/// Makes the same under a new root, and an authority for each cluster, beside its data. The root's key is forgotten.
pub fn create_shared(layout: &Layout, topology: &Topology) -> anyhow::Result<()> {
    let lifetime = Lifetime::starting_at(SystemTime::now(), LIFETIME);
    let root = Root::create(KeyKind::EcdsaP256, lifetime)?;
    write(layout, &root.issue(&topology.clusterset, KeyKind::EcdsaP256, lifetime)?)?;
    for cluster in &topology.clusters {
        let domain = TrustDomain::of_cluster(&cluster.id, &topology.clusterset)?;
        let authority = root.issue(&domain, KeyKind::EcdsaP256, lifetime)?;
        let ca = layout.cluster_ca(cluster.id.as_str());
        make_private(&ca)?;
        write_secret(&ca.join("cert-chain.pem"), &authority.chain().to_pem())?;
        write_secret(&ca.join("ca-key.pem"), &authority.key_pem())?;
    }
    Ok(())
}

fn write(layout: &Layout, authority: &Authority) -> anyhow::Result<()> {
    let clusterset = authority.domain();
    make_private(&layout.ca())?;
    write_secret(&layout.ca().join("cert.pem"), &authority.cert_pem())?;
    write_secret(&layout.ca().join("key.pem"), &authority.key_pem())?;

    let admin = issue(authority, &admin_id(clusterset, "lab")?)?;
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

/// A certificate for `id` that an authority of another domain signed, as its owner could with its key.
pub fn forge(authority: &Authority, id: &SpiffeId) -> anyhow::Result<Identity> {
    let key = PrivateKey::generate()?;
    let pair = rcgen::KeyPair::from_pem(&key.to_pem())?;
    let signer = rcgen::KeyPair::from_pem(&authority.key_pem())?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.subject_alt_names = vec![rcgen::SanType::URI(id.to_string().try_into()?)];
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    let issuer = rcgen::Issuer::from_ca_cert_der(authority.certificate(), signer)?;
    let leaf = params.signed_by(&pair, &issuer)?.der().clone();
    // As helpful as it can be: the root too, should anybody believe it.
    let chain = std::iter::once(&leaf).chain(authority.chain().certificates()).cloned().collect();
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
