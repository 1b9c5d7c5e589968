//! `ca bundle`: a trust domain's bundle, from PEM to SPIFFE's JWK set and back.

use std::path::Path;

use federation_model::bundle::AuthorityDer;
use federation_model::{Bundle, TrustDomain};
use federation_trust::bundle_set::{BundleSet, bundle_from_pem, bundle_to_pem};
use federation_trust::jwks::{from_jwks, to_jwks};

use super::material::Material;
use super::{files, refused, trust};
use crate::arguments::BundleFormat;
use crate::failure::{Failure, Kind};

/// What is written of it.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// In which form.
    pub format: BundleFormat,
    /// `spiffe_sequence`, if it is to be another one.
    pub sequence: Option<u64>,
    /// `spiffe_refresh_hint`, in seconds, if it is to be another one.
    pub refresh_hint: Option<u32>,
}

/// The bundle of `domain` in `path`, in the form that is wanted.
///
/// # Errors
/// When there is none that can be used.
pub fn convert(domain: &TrustDomain, path: &Path, wanted: Wanted) -> Result<String, Failure> {
    let mut bundle = read(domain, path)?;
    bundle.sequence = wanted.sequence.unwrap_or(bundle.sequence);
    bundle.refresh_hint = wanted.refresh_hint.unwrap_or(bundle.refresh_hint);
    Ok(match wanted.format {
        BundleFormat::Jwks => to_jwks(&bundle) + "\n",
        BundleFormat::Pem => bundle_to_pem(&bundle),
    })
}

/// Reads a bundle: a JWK set, a PEM file of authorities, or a directory with one authority, whose own certificate it is
/// then, and never the root that it shares with others.
///
/// # Errors
/// When it cannot be read, or one of its authorities cannot be used for `domain`.
pub fn read(domain: &TrustDomain, path: &Path) -> Result<Bundle, Failure> {
    let failed = |problem: String| Failure::new(Kind::Refused, format!("{}: {problem}", path.display()));
    if path.is_dir() {
        let all = Material::all(path)?;
        // The root that `ca init` made is whose clusters are signed with, and nobody's bundle.
        let material = all.iter().find(|material| material.name != "root-cert.pem");
        let chain =
            material.ok_or_else(|| failed("there is no authority of a cluster".to_owned()))?.chain()?;
        chain.signs_for(domain).map_err(|fault| failed(fault.to_string()))?;
        let authorities = vec![AuthorityDer(chain.authority().to_vec())];
        return Ok(Bundle { trust_domain: domain.clone(), authorities, sequence: 0, refresh_hint: 0 });
    }
    let text = files::read(path)?;
    let bundle = if text.trim_start().starts_with('{') {
        from_jwks(domain, &text).map_err(|error| refused(&path.display().to_string(), &error))?
    } else {
        bundle_from_pem(domain, &text).map_err(|error| trust(&error))?
    };
    match BundleSet::from_bundles([&bundle]).1.into_iter().next() {
        Some((_, problem)) => Err(failed(problem.to_string())),
        None => Ok(bundle),
    }
}
