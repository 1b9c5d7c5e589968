//! What the federation is told of this cluster.

use std::sync::Arc;

use agent_plan::LocalView;
use federation_client::publish::Desired;
use federation_model::command::Registration;
use federation_model::{Bundle, Gateway, InstanceId};

use crate::config::Config;

/// Everything, as one value: who and where the cluster is, how its gateways are dialled, its bundle, and its valid
/// exports.
pub fn desired(
    config: &Config,
    instance: &InstanceId,
    bundle: Option<Bundle>,
    gateways: Vec<Gateway>,
    local: &LocalView,
) -> Desired {
    Desired {
        registration: Registration {
            cluster: config.cluster.clone(),
            instance: instance.clone(),
            network: config.network.clone(),
            region: config.region.clone(),
            zone: config.zone.clone(),
            trust_domain: config.trust_domain.clone(),
            gateways,
        },
        bundle,
        exports: local.exports.iter().map(|(id, own)| (id.clone(), Arc::clone(&own.export))).collect(),
    }
}
