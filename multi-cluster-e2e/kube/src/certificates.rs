//! The certificates of one API server: an authority of its own, and a leaf for its loopback address.

use std::net::IpAddr;
use std::path::Path;

use anyhow::Context;
use multi_cluster_e2e_lab::ca::write_secret;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

/// Writes `ca.crt`, `tls.crt`, `tls.key` and `sa.key` with `sa.pub` (which sign and
/// verify service accounts' tokens) into `dir`.
///
/// # Errors
/// When a file cannot be written.
pub fn create(dir: &Path, address: IpAddr) -> anyhow::Result<()> {
    let (authority, issuer) = authority()?;
    let key = KeyPair::generate()?;
    let mut leaf = CertificateParams::new(vec![
        "localhost".to_owned(),
        "kubernetes".to_owned(),
        "kubernetes.default.svc".to_owned(),
    ])?;
    leaf.subject_alt_names.push(SanType::IpAddress(address));
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    let leaf = leaf.signed_by(&key, &issuer).context("cannot sign the API server's certificate")?;
    write_secret(&dir.join("ca.crt"), &authority)?;
    write_secret(&dir.join("tls.crt"), &leaf.pem())?;
    write_secret(&dir.join("tls.key"), &key.serialize_pem())?;
    let accounts = KeyPair::generate()?;
    write_secret(&dir.join("sa.key"), &accounts.serialize_pem())?;
    write_secret(&dir.join("sa.pub"), &accounts.public_key_pem())
}

/// The certificate, as PEM, of an authority that signed nothing: for tests of a wrong CA.
///
/// # Errors
/// Never in practice: when no key can be made.
pub fn foreign_authority() -> anyhow::Result<String> {
    Ok(authority()?.0)
}

fn authority() -> anyhow::Result<(String, Issuer<'static, KeyPair>)> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "kubernetes-ca");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let pem = params.self_signed(&key)?.pem();
    Ok((pem, Issuer::new(params, key)))
}
