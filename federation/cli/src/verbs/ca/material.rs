//! Authorities as people keep them: Istio's four files, those of cert-manager and of kubectl, ours; in a directory or in
//! a Kubernetes Secret; or certificates and perhaps a key in one PEM file.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use federation_trust::TrustError;
use federation_trust::ca::CaChain;
use federation_trust::pem::read_certificates;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{files, refused};
use crate::failure::{Failure, Kind};

/// The names under which an authority is kept.
struct Names {
    /// Its certificate, alone.
    certificate: &'static str,
    key: &'static str,
    /// Its certificate and what leads to the root.
    chain: Option<&'static str>,
    root: Option<&'static str>,
}

/// In the order in which they are looked for: where `ca init` was, the root comes first.
const KNOWN: [Names; 4] = [
    Names { certificate: "root-cert.pem", key: "root-key.pem", chain: None, root: None },
    Names {
        certificate: "ca-cert.pem",
        key: "ca-key.pem",
        chain: Some("cert-chain.pem"),
        root: Some("root-cert.pem"),
    },
    Names { certificate: "tls.crt", key: "tls.key", chain: None, root: Some("ca.crt") },
    Names { certificate: "ca.pem", key: "ca-key.pem", chain: None, root: None },
];

type Texts = BTreeMap<String, Zeroizing<String>>;

/// What was found of one authority. Nothing of it is judged yet.
#[derive(Debug)]
pub(super) struct Material {
    /// The file with its certificate, as people know it.
    pub name: String,
    /// Certificates, the authority's first.
    certificates: Zeroizing<String>,
    /// Its certificate once more, where that is kept apart.
    alone: Option<Zeroizing<String>>,
    /// Its key, PEM.
    pub key: Option<Zeroizing<String>>,
    /// Roots, PEM.
    root: Option<Zeroizing<String>>,
}

impl Material {
    /// All that there is in a directory, a Secret or a PEM file; never none.
    ///
    /// # Errors
    /// When there is nothing, or nothing that can be read.
    pub(super) fn all(path: &Path) -> Result<Vec<Self>, Failure> {
        let texts = if path.is_dir() {
            directory(path)?
        } else {
            let text = files::read(path)?;
            match secret(&text) {
                Some(texts) => texts?,
                None => return Ok(vec![Self::of_file(path, text)]),
            }
        };
        let found: Vec<Self> = KNOWN.iter().filter_map(|names| Self::of(names, &texts)).collect();
        if found.is_empty() {
            let names: Vec<_> = KNOWN.iter().map(|names| names.certificate).collect();
            let cause = format!("there is no authority in {}", path.display());
            return Err(Failure::new(Kind::Usage, cause)
                .next(format!("One of these was looked for: {}.", names.join(", "))));
        }
        Ok(found)
    }

    /// The first one that has a key, for signing with.
    ///
    /// # Errors
    /// When none has.
    pub(super) fn signing(path: &Path) -> Result<(Self, Zeroizing<String>), Failure> {
        let found = Self::all(path)?.into_iter().find_map(|mut found| Some((found.key.take()?, found)));
        let (key, material) = found.ok_or_else(|| {
            Failure::new(Kind::Usage, format!("there is no key of an authority in {}", path.display())).next(
                "Name the directory that `isthmus ca init` made, or one with ca-cert.pem and ca-key.pem.",
            )
        })?;
        Ok((material, key))
    }

    fn of(names: &Names, texts: &Texts) -> Option<Self> {
        let (certificate, key) = (texts.get(names.certificate), texts.get(names.key).cloned());
        let chain = names.chain.and_then(|name| texts.get(name).map(|text| (name, text)));
        // A root without its key is known as the root of something else.
        if names.root.is_none() && key.is_none() && names.key == "root-key.pem" {
            return None;
        }
        let (name, certificates) = chain.or_else(|| certificate.map(|text| (names.certificate, text)))?;
        Some(Self {
            name: name.to_owned(),
            certificates: certificates.clone(),
            alone: chain.and(certificate).cloned(),
            key,
            root: names.root.and_then(|name| texts.get(name)).cloned(),
        })
    }

    fn of_file(path: &Path, text: Zeroizing<String>) -> Self {
        let key = text.contains("PRIVATE KEY-----").then(|| text.clone());
        Self { name: path.display().to_string(), certificates: text, alone: None, key, root: None }
    }

    /// The certificates, as they are kept.
    pub(super) fn certificates(&self) -> &str {
        &self.certificates
    }

    /// The chain of the authority, as far as its root where that is known.
    ///
    /// # Errors
    /// When it is no chain of authorities, or its parts do not belong together.
    pub(super) fn chain(&self) -> Result<CaChain, Failure> {
        let named =
            |error: &TrustError| refused(&format!("{} is of no use as an authority", self.name), error);
        let chain = CaChain::from_pem(&self.certificates).map_err(|error| named(&error))?;
        if let Some(alone) = &self.alone {
            let alone = read_certificates(alone).map_err(|error| named(&error))?;
            if alone.first() != Some(chain.authority()) {
                let cause = format!("{} does not begin with the certificate of ca-cert.pem", self.name);
                return Err(Failure::new(Kind::Refused, cause)
                    .next("cert-chain.pem is ca-cert.pem, then who signed it, the root last."));
            }
        }
        let Some(root) = &self.root else { return Ok(chain) };
        let roots = read_certificates(root).map_err(|error| named(&error))?;
        chain.rooted_in(&roots).map_err(|fault| named(&TrustError::Ca(fault)))
    }
}

fn directory(path: &Path) -> Result<Texts, Failure> {
    let mut texts = Texts::new();
    for names in &KNOWN {
        for name in [Some(names.certificate), Some(names.key), names.chain, names.root].into_iter().flatten()
        {
            let file = path.join(name);
            if !texts.contains_key(name) && file.exists() {
                texts.insert(name.to_owned(), files::read(&file)?);
            }
        }
    }
    Ok(texts)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    kind: String,
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default)]
    string_data: BTreeMap<String, String>,
}

/// The files in a Secret's manifest, YAML or JSON; none if the text is something else.
fn secret(text: &str) -> Option<Result<Texts, Failure>> {
    if text.trim_start().starts_with("-----BEGIN") {
        return None;
    }
    let secret: Secret =
        serde_saphyr::from_str(text).ok().filter(|secret: &Secret| secret.kind == "Secret")?;
    let plain = secret.string_data.into_iter();
    let mut texts: Texts = plain.map(|(name, text)| (name, Zeroizing::new(text))).collect();
    for (name, value) in secret.data {
        let value = Zeroizing::new(value);
        let decoded = STANDARD.decode(value.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(decoded) = decoded else {
            let cause = format!("{name} of the Secret is not base64 of a text");
            return Some(Err(Failure::new(Kind::Usage, cause)));
        };
        texts.entry(name).or_insert_with(|| Zeroizing::new(decoded));
    }
    Some(Ok(texts))
}
