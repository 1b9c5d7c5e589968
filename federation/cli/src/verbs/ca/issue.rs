//! `ca issue`: a cluster's authority under a shared root, in the files that our agents and Istio take.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use federation_model::TrustDomain;
use federation_trust::ca::{KeyKind, Root};
use federation_trust::pem::write_certificates;

use super::files::Target;
use super::material::Material;
use super::{Made, lifetime, made, refused, trust};
use crate::failure::{Failure, Kind};

/// What is wanted.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The cluster's trust domain.
    pub domain: &'a TrustDomain,
    /// How long it is good for.
    pub days: u64,
    /// Its key.
    pub kind: KeyKind,
    /// Whether the same is written as a Secret for this namespace too.
    pub secret: Option<&'a str>,
}

/// A new authority, signed by the root (or whatever may sign authorities) in `ca`. The new key is made here and written
/// to `out`; Isthmus needs it nowhere but in the cluster.
///
/// # Errors
/// When there is nothing in `ca` that may sign an authority now, or a file is there already or cannot be written.
pub fn issue(ca: &Path, wanted: &Wanted<'_>, out: Target<'_>) -> Result<Made, Failure> {
    let (material, key) = Material::signing(ca)?;
    let chain = material.chain()?;
    chain.at(std::time::SystemTime::now()).map_err(|fault| {
        Failure::new(Kind::Refused, format!("{} cannot sign now: {fault}", material.name))
    })?;
    let root = Root::load(&chain.to_pem(), &key)
        .map_err(|error| refused(&format!("{} cannot sign a cluster's authority", material.name), &error))?;
    let authority =
        root.issue(wanted.domain, wanted.kind, lifetime(wanted.days)).map_err(|error| trust(&error))?;
    let (certificate, key) = (authority.cert_pem(), authority.key_pem());
    let (whole, root) = (authority.chain().to_pem(), write_certificates(authority.chain().root()));
    let mut files: Vec<(&str, &str)> =
        vec![("ca-cert.pem", &certificate), ("ca-key.pem", &key), ("cert-chain.pem", &whole)];
    if authority.chain().root().is_none() {
        return Err(Failure::new(Kind::Refused, format!("{} does not lead to its root", material.name))
            .next(
                "Add the certificates up to the root to cert-chain.pem, or put the root into root-cert.pem.",
            ));
    }
    files.push(("root-cert.pem", &root));
    let secret = wanted.secret.map(|namespace| manifest(namespace, &files));
    if let Some(secret) = &secret {
        files.push(("secret.yaml", secret));
    }
    let files = out.write(&files)?;
    Ok(made(&authority, files))
}

/// The Secret that istiod looks for. Base64 and names of files need no quotes in YAML.
fn manifest(namespace: &str, files: &[(&str, &str)]) -> zeroize::Zeroizing<String> {
    let mut text = zeroize::Zeroizing::new(format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: cacerts\n  namespace: \"{namespace}\"\n\
         type: Opaque\ndata:\n"
    ));
    for (name, content) in files {
        text.push_str(&format!("  {name}: {}\n", STANDARD.encode(content)));
    }
    text
}
