//! The replicated state machine. `apply` (in `apply.rs`) is the only way to change it.

mod apply;
pub mod changes;
pub mod invariants;
mod query;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use apply::{Applied, Outcome};
pub use changes::Changes;

use crate::bundle::Bundle;
use crate::cluster::Cluster;
use crate::export::Export;
use crate::ids::{ClusterId, Revision, ServiceId};
use crate::token::{JoinToken, TokenHash};
use crate::trust_domain::TrustDomain;
use crate::vip::{Vip, VipRanges};

/// The catalogue, as every server holds it in memory. Readable by anyone in the crate, changeable only by `apply`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    revision: Revision,
    vip_ranges: VipRanges,
    next_vip: u32,
    clusters: BTreeMap<ClusterId, Cluster>,
    bundles: BTreeMap<TrustDomain, Bundle>,
    vips: BTreeMap<ServiceId, Vip>,
    #[serde(with = "exports_as_list")]
    exports: BTreeMap<(ServiceId, ClusterId), Export>,
    #[serde(with = "tokens_as_list")]
    tokens: BTreeMap<TokenHash, JoinToken>,
}

/// Keys that are not strings cannot be map keys in every format; each value carries its key anyway.
mod exports_as_list {
    use super::{BTreeMap, ClusterId, Export, ServiceId};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        exports: &BTreeMap<(ServiceId, ClusterId), Export>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        s.collect_seq(exports.values())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<BTreeMap<(ServiceId, ClusterId), Export>, D::Error> {
        let list = Vec::<Export>::deserialize(d)?;
        Ok(list.into_iter().map(|e| ((e.service.clone(), e.cluster.clone()), e)).collect())
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
