//! What a certificate is, for whom, until when, and what is wrong with it: for people, about their own certificates.

use std::fmt;
use std::time::{Duration, SystemTime};

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use super::problem::CaProblem;
use super::{chain, key_kind, signature};
use crate::lifetime::{Lifetime, unix_seconds};
use crate::peer_error::PeerError;
use crate::svid::{Svid, parse_certificate, uri_names, validity};

/// How long before its end a certificate is worth a word.
const SOON: Duration = Duration::from_secs(48 * 3600);

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An authority that signed itself.
    Root,
    /// An authority that another one signed.
    Intermediate,
    /// Whoever is no authority.
    Leaf,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Root => "root",
            Self::Intermediate => "intermediate",
            Self::Leaf => "leaf",
        })
    }
}

/// Something about a certificate that its owner should know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// It cannot serve as an authority.
    #[error("{0}")]
    Authority(CaProblem),
    /// It cannot serve as a workload's identity.
    #[error("as an X509-SVID it would be refused: {0}")]
    Leaf(PeerError),
    /// Its end is near.
    #[error("it expires within 48 hours; renew it")]
    ExpiresSoon,
}

/// A certificate, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// What it is for.
    pub kind: Kind,
    /// Its distinguished name; may be empty.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Its URI names.
    pub uris: Vec<String>,
    /// From when until when.
    pub lifetime: Lifetime,
    /// Its key, in words.
    pub key: String,
    /// Its serial number, in hex.
    pub serial: String,
    /// SHA-256 of all of it, in hex.
    pub sha256: String,
    /// How many authorities may stand below it; none: any number, or it is none.
    pub path_len: Option<u32>,
    /// What is wrong with it at the moment that was asked about.
    pub warnings: Vec<Warning>,
}

/// Reads a certificate, and judges it as what it claims to be.
///
/// # Errors
/// When it cannot be read.
pub fn examine(der: &CertificateDer<'_>, now: SystemTime) -> Result<Examined, CaProblem> {
    let certificate = parse_certificate(der).map_err(|_| CaProblem::Malformed)?;
    let constraints = certificate.basic_constraints().map_err(|_| CaProblem::Malformed)?;
    let kind = if !constraints.is_some_and(|c| c.value.ca) {
        Kind::Leaf
    } else if signature::signed_by(&certificate, &certificate) {
        Kind::Root
    } else {
        Kind::Intermediate
    };
    let lifetime = validity(&certificate);
    let mut warnings: Vec<Warning> = match kind {
        Kind::Leaf => Svid::parse(der).err().map(Warning::Leaf).into_iter().collect(),
        Kind::Root | Kind::Intermediate => {
            chain::problems(&certificate).into_iter().map(Warning::Authority).collect()
        }
    };
    let seconds = unix_seconds(now);
    if seconds < lifetime.not_before {
        warnings.push(Warning::Authority(CaProblem::NotYetValid));
    } else if seconds > lifetime.not_after {
        warnings.push(Warning::Authority(CaProblem::Expired));
    } else if unix_seconds(now + SOON) > lifetime.not_after {
        warnings.push(Warning::ExpiresSoon);
    }
    Ok(Examined {
        kind,
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        uris: uri_names(&certificate).unwrap_or_default().into_iter().map(str::to_owned).collect(),
        lifetime,
        key: key_kind::describe(certificate.public_key()).0,
        serial: hex::encode(certificate.raw_serial()),
        sha256: hex::encode(Sha256::digest(der)),
        path_len: chain::path_len(&certificate),
        warnings,
    })
}
