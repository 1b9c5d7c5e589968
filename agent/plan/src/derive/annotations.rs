//! Our annotations on a ServiceExport.
//!
//! - `isthmus.dev/mtls: Gateway | EndToEnd`: who ends the mTLS of callers from other clusters. Default `Gateway`.
//! - `isthmus.dev/scope: "east,south"`: which clusters may import. Default all.
//! - `isthmus.dev/identities: "spiffe://.../ns/demo/sa/echo,..."`: who may answer in `EndToEnd` mode. Default any
//!   workload of the service's namespace.
//!
//! Any other annotation under `isthmus.dev/` is refused: a misspelt scope must not open a service to everybody.

use std::collections::{BTreeMap, BTreeSet};

use federation_model::export::MAX_NAMES;
use federation_model::{ClusterId, ExportScope, MtlsMode, SpiffeId};

use super::{ClusterFacts, field, shortened};
use crate::local::InvalidExport;

const PREFIX: &str = "isthmus.dev/";
const MTLS: &str = "isthmus.dev/mtls";
const SCOPE: &str = "isthmus.dev/scope";
const IDENTITIES: &str = "isthmus.dev/identities";

/// What our annotations say.
pub(super) struct Ours {
    pub(super) scope: ExportScope,
    pub(super) mtls: MtlsMode,
}

pub(super) fn read(given: &BTreeMap<String, String>, facts: &ClusterFacts) -> Result<Ours, InvalidExport> {
    let known = [MTLS, SCOPE, IDENTITIES];
    if let Some(other) = given.keys().find(|key| key.starts_with(PREFIX) && !known.contains(&key.as_str())) {
        let problem = format!("is not known; {} are", known.join(", "));
        return Err(wrong(&shortened(other), problem));
    }
    Ok(Ours { scope: scope(given.get(SCOPE))?, mtls: mtls(given, facts)? })
}

fn scope(given: Option<&String>) -> Result<ExportScope, InvalidExport> {
    let Some(text) = given else { return Ok(ExportScope::All) };
    let mut clusters = BTreeSet::new();
    for name in names(SCOPE, text)? {
        clusters.insert(name.parse::<ClusterId>().map_err(|problem| wrong(SCOPE, problem))?);
    }
    Ok(ExportScope::Clusters(clusters))
}

fn mtls(given: &BTreeMap<String, String>, facts: &ClusterFacts) -> Result<MtlsMode, InvalidExport> {
    let stated = given.get(IDENTITIES);
    match given.get(MTLS).map(String::as_str) {
        None | Some("Gateway") if stated.is_some() => {
            Err(wrong(IDENTITIES, format!("means something only with {MTLS}: EndToEnd")))
        }
        None | Some("Gateway") => Ok(MtlsMode::Gateway),
        Some("EndToEnd") => Ok(MtlsMode::EndToEnd { identities: identities(stated, facts)? }),
        Some(other) => Err(wrong(MTLS, format!("{:?} is neither Gateway nor EndToEnd", shortened(other)))),
    }
}

/// Identities of another trust domain could never answer: callers check the domain besides.
fn identities(given: Option<&String>, facts: &ClusterFacts) -> Result<BTreeSet<SpiffeId>, InvalidExport> {
    let Some(text) = given else { return Ok(BTreeSet::new()) };
    let mut identities = BTreeSet::new();
    for name in names(IDENTITIES, text)? {
        let id: SpiffeId =
            name.parse().map_err(|problem| wrong(IDENTITIES, format!("{:?}: {problem}", shortened(name))))?;
        if id.trust_domain() != &facts.trust_domain {
            let own = &facts.trust_domain;
            return Err(wrong(IDENTITIES, format!("{id} is not of this cluster's trust domain {own}")));
        }
        identities.insert(id);
    }
    Ok(identities)
}

/// The parts of a list with commas. An empty list is refused: it would mean "nobody" here and "anybody" there.
fn names<'a>(annotation: &str, text: &'a str) -> Result<Vec<&'a str>, InvalidExport> {
    let names: Vec<&str> = text.split(',').map(str::trim).take(MAX_NAMES + 1).collect();
    if names.len() > MAX_NAMES {
        return Err(wrong(annotation, format!("has more than {MAX_NAMES} entries")));
    }
    if names.iter().any(|name| name.is_empty()) {
        return Err(wrong(annotation, "has an empty entry; leave the annotation out for the default"));
    }
    Ok(names)
}

fn wrong(annotation: &str, problem: impl ToString) -> InvalidExport {
    field(format!("metadata.annotations[{annotation}]"), problem)
}
