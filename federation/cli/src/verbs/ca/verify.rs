//! `ca verify`: whether a peer that shows this chain would be believed.

use std::path::Path;

use federation_model::TrustDomain;
use federation_trust::bundle_set::BundleSet;
use federation_trust::pem::read_certificates;
use federation_trust::svid::Svid;
use federation_trust::verify::verify_peer;
use rustls_pki_types::UnixTime;
use serde::Serialize;

use super::{bundle, date, files, refused};
use crate::failure::{Failure, Kind};
use crate::output::Report;

/// The answer: it would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Believed {
    /// Whom the chain names.
    pub id: String,
    /// Until when, RFC 3339.
    pub not_after: String,
}

impl Report for Believed {
    fn to_text(&self) -> String {
        format!("{}, until {}\n", self.id, self.not_after)
    }
}

/// Judges a chain, leaf first, as every server, agent and gateway would that has this bundle of `domain`.
///
/// # Errors
/// The reason for which it would be refused.
pub fn verify(chain: &Path, domain: &TrustDomain, bundle: &Path) -> Result<Believed, Failure> {
    let text = files::read(chain)?;
    let certificates =
        read_certificates(&text).map_err(|error| refused(&chain.display().to_string(), &error))?;
    let bundle = bundle::read(domain, bundle)?;
    let (bundles, _) = BundleSet::from_bundles([&bundle]);
    let judged = verify_peer(&certificates, &bundles, UnixTime::now());
    let id = judged.map_err(|error| {
        let reason = error.reason();
        refused("it is refused", &error).because(reason)
    })?;
    let leaf = certificates.first().map(Svid::parse).and_then(Result::ok);
    let leaf = leaf.ok_or_else(|| Failure::new(Kind::Refused, "there is no leaf"))?;
    Ok(Believed { id: id.to_string(), not_after: date(leaf.lifetime.not_after) })
}
