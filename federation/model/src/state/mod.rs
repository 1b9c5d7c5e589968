//! The replicated state machine. `apply` (in `apply.rs`) is the only way to change it.

mod apply;
pub mod changes;
pub mod invariants;
#[cfg(feature = "simulation")]
mod planted;
mod query;
mod recording;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use apply::{Applied, Outcome};
pub use changes::{Change, Changes, Position, Tail};

use crate::audit::Audit;
use crate::bundle::Bundle;
use crate::cluster::Cluster;
use crate::export::Export;
use crate::ids::{ClusterId, Incarnation, Revision, ServiceId, UnixMillis};
use crate::session::Session;
use crate::shared_map::SharedMap;
use crate::token::{JoinToken, TokenHash};
use crate::trust_domain::TrustDomain;
use crate::view::Exporters;
use crate::vip::{Vip, VipRanges};

/// The catalogue, as every server holds it in memory. Readable by anyone in the crate, changeable only by `apply`. Clones
/// share exports and VIPs, which are most of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    revision: Revision,
    /// The latest time of any entry. A state written before there was this begins at zero.
    #[serde(default)]
    now: UnixMillis,
    #[serde(default)]
    incarnation: Incarnation,
    vip_ranges: VipRanges,
    next_vip: u32,
    clusters: BTreeMap<ClusterId, Cluster>,
    /// Of the clusters that opened one.
    #[serde(default)]
    sessions: BTreeMap<ClusterId, Session>,
    bundles: BTreeMap<TrustDomain, Bundle>,
    vips: SharedMap<ServiceId, Vip>,
    #[serde(with = "exports_as_list")]
    exports: SharedMap<ServiceId, Exporters>,
    #[serde(with = "tokens_as_list")]
    tokens: BTreeMap<TokenHash, JoinToken>,
    #[serde(default)]
    audit: Audit,
}

/// Keys that are not strings cannot be map keys in every format; each value carries its key anyway.
mod exports_as_list {
    use std::sync::Arc;

    use super::{BTreeMap, Export, Exporters, ServiceId, SharedMap};
    use serde::{Deserialize, Deserializer, Serializer};

    type Exports = SharedMap<ServiceId, Exporters>;

    pub(super) fn serialize<S: Serializer>(exports: &Exports, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(exports.values().flat_map(BTreeMap::values).map(AsRef::<Export>::as_ref))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Exports, D::Error> {
        let mut exports = Exports::new();
        for export in Vec::<Export>::deserialize(d)? {
            let exporters = exports.get_or_insert_with(&export.service, BTreeMap::new);
            exporters.insert(export.cluster.clone(), Arc::new(export));
        }
        Ok(exports)
    }
}

mod tokens_as_list {
    use super::{BTreeMap, JoinToken, TokenHash};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        tokens: &BTreeMap<TokenHash, JoinToken>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        s.collect_seq(tokens.values())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<BTreeMap<TokenHash, JoinToken>, D::Error> {
        let list = Vec::<JoinToken>::deserialize(d)?;
        Ok(list.into_iter().map(|t| (t.hash, t)).collect())
    }
}

#[cfg(test)]
mod tests;
