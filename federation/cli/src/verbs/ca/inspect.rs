//! `ca inspect`: what certificates, chains, keys, Secrets and directories of them are, and what is wrong with them.

use std::path::Path;
use std::time::SystemTime;

use federation_trust::ca::{CaChain, Examined, examine};
use federation_trust::pem::read_certificates;
use federation_trust::{PrivateKey, TrustError};
use rustls_pki_types::CertificateDer;
use serde::Serialize;

use super::material::Material;
use super::{date, refused};
use crate::failure::{Failure, Kind};
use crate::output::Report;

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// What was found, file by file.
    pub found: Vec<Found>,
}

/// One file, or what belongs together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The file with the certificates.
    pub file: String,
    /// In their order.
    pub certificates: Vec<Certificate>,
    /// What is wrong with all of it together: order, keys, dates.
    pub problems: Vec<String>,
}

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// `root`, `intermediate` or `leaf`.
    pub kind: String,
    /// Its URI names.
    pub names: Vec<String>,
    /// Its distinguished name.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Its key.
    pub key: String,
    /// RFC 3339.
    pub not_before: String,
    /// RFC 3339.
    pub not_after: String,
    /// Whole days until then; negative after it.
    pub days_left: i64,
    /// Hex.
    pub serial: String,
    /// Hex.
    pub sha256: String,
    /// How many authorities may stand below it.
    pub path_length: Option<u32>,
    /// What is wrong with it, or soon will be.
    pub warnings: Vec<String>,
}

/// Reads whatever is at `paths`. Nothing is sent or changed, and no key is shown.
///
/// # Errors
/// When something cannot be read at all. What is wrong with what can be read is said in the report.
pub fn inspect(paths: &[impl AsRef<Path>]) -> Result<Inspection, Failure> {
    let mut found = Vec::new();
    for path in paths {
        for material in Material::all(path.as_ref())? {
            found.push(look(&material)?);
        }
    }
    Ok(Inspection { found })
}

fn look(material: &Material) -> Result<Found, Failure> {
    let now = SystemTime::now();
    let ders = read_certificates(material.certificates())
        .map_err(|error| refused(&format!("{} cannot be read", material.name), &error))?;
    let mismatch = material.key.as_ref().zip(ders.first()).and_then(|(key, first)| mismatch(key, first));
    let (mut certificates, mut problems, mut authorities) = (Vec::new(), Vec::new(), false);
    for (at, der) in ders.iter().enumerate() {
        match examine(der, now) {
            Ok(examined) => {
                authorities |= at == 0 && examined.kind != federation_trust::ca::Kind::Leaf;
                certificates.push(Certificate::of(examined, now));
            }
            Err(problem) => problems.push(format!("certificate {}: {problem}", at + 1)),
        }
    }
    // A leaf's chain is judged by `verify`, with a bundle; an authority's says by itself whether it is one.
    if authorities {
        problems.extend(material.chain().err().map(|failure| failure.cause().to_owned()));
    } else {
        problems.extend(above(ders));
    }
    problems.extend(mismatch);
    Ok(Found { file: material.name.clone(), certificates, problems })
}

/// What is wrong with the authorities above a leaf.
fn above(mut ders: Vec<CertificateDer<'static>>) -> Option<String> {
    if ders.len() < 3 {
        return None;
    }
    ders.remove(0);
    let authority = ders.remove(0);
    CaChain::new(authority, ders).err().map(|fault| format!("above the leaf, {fault}"))
}

/// Whether a key is that of a certificate.
fn mismatch(key: &str, certificate: &CertificateDer<'static>) -> Option<String> {
    let error = PrivateKey::from_pem(key).and_then(|key| key.belongs_to(certificate)).err()?;
    Some(match error {
        TrustError::KeyMismatch(_) => {
            "the key is not that of the first certificate; look for the other half".into()
        }
        error => refused("the key", &error).cause().to_owned(),
    })
}

impl Certificate {
    fn of(examined: Examined, now: SystemTime) -> Self {
        let seconds =
            |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let left = examined.lifetime.not_after.saturating_sub_unsigned(seconds(now));
        Self {
            kind: examined.kind.to_string(),
            names: examined.uris,
            subject: examined.subject,
            issuer: examined.issuer,
            key: examined.key,
            not_before: date(examined.lifetime.not_before),
            not_after: date(examined.lifetime.not_after),
            days_left: left.div_euclid(24 * 3600),
            serial: examined.serial,
            sha256: examined.sha256,
            path_length: examined.path_len,
            warnings: examined.warnings.iter().map(ToString::to_string).collect(),
        }
    }

    fn to_text(&self, number: usize) -> String {
        let name = if self.names.is_empty() { self.subject.clone() } else { self.names.join(", ") };
        let length = self.path_length.map_or(String::new(), |length| format!(", path length {length}"));
        let mut text = format!(
            "  {number}  {:<12}  {name}\n     {}{length}; until {} ({} days)\n     signed by {}\n     sha256 {}\n",
            self.kind, self.key, self.not_after, self.days_left, self.issuer, self.sha256
        );
        for warning in &self.warnings {
            text.push_str(&format!("     ! {warning}\n"));
        }
        text
    }
}

impl Inspection {
    /// A failure if anything is wrong now.
    ///
    /// # Errors
    /// With the number of things that are.
    pub fn verdict(&self) -> Result<(), Failure> {
        let wrong: usize = self
            .found
            .iter()
            .map(|found| {
                found.problems.len() + found.certificates.iter().map(|c| c.warnings.len()).sum::<usize>()
            })
            .sum();
        match wrong {
            0 => Ok(()),
            1 => Err(Failure::new(Kind::Refused, "there is something wrong, see above")),
            _ => Err(Failure::new(Kind::Refused, format!("there are {wrong} things wrong, see above"))),
        }
    }
}

impl Report for Inspection {
    fn to_text(&self) -> String {
        let mut text = String::new();
        for found in &self.found {
            text.push_str(&format!("{}\n", found.file));
            for (at, certificate) in found.certificates.iter().enumerate() {
                text.push_str(&certificate.to_text(at + 1));
            }
            for problem in &found.problems {
                text.push_str(&format!("  ! {problem}\n"));
            }
        }
        text
    }
}
