//! What the federation is told of this cluster.

use agent_plan::LocalView;
use federation_client::publish::Desired;
use federation_model::command::Registration;
use federation_model::{Bundle, InstanceId};

use crate::config::Config;

/// Everything, as one value: who and where the cluster is, its bundle, and its valid exports.
pub fn desired(config: &Config, instance: &InstanceId, bundle: Option<Bundle>, local: &LocalView) -> Desired {
    Desired {
        registration: Registration {
            cluster: config.cluster.clone(),
            instance: instance.clone(),
            network: config.network.clone(),
            region: config.region.clone(),
            zone: config.zone.clone(),
            trust_domain: config.trust_domain.clone(),
            gateways: config.gateways.clone(),
        },
        bundle,
        exports: local.exports.iter().map(|(id, own)| (id.clone(), own.export.clone())).collect(),
    }
}
