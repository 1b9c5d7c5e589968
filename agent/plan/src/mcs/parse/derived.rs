//! Derived Services.

use std::num::NonZeroU16;
use std::sync::Arc;

use federation_model::{ServiceId, ServicePort};
use k8s_openapi::api::core::v1::{Service, ServicePort as KubePort};

use super::import::protocol;
use super::meta;
use crate::mcs::content::DerivedContent;
use crate::mcs::names::{self, MANAGED_BY, MCS_SERVICE_NAME, OURS, VIP_CLASS};
use crate::mcs::observed::{Held, ObjectName};

/// A Service, if it goes by the name of one of ours.
pub fn derived(object: &Service) -> Option<(ObjectName, Arc<Held<DerivedContent>>)> {
    let name = meta::object_name(&object.metadata)?;
    let content = content(&name, object);
    Some((name, meta::held(&object.metadata, (MANAGED_BY, OURS), content)))
}

fn content(name: &ObjectName, object: &Service) -> Option<DerivedContent> {
    let service = meta::label(&object.metadata, MCS_SERVICE_NAME)?.parse().ok()?;
    let import = ServiceId { namespace: name.namespace.clone(), name: service };
    let spec = object.spec.as_ref()?;
    let as_written = names::derived_name(&import) == *name
        && spec.type_.as_deref() == Some("LoadBalancer")
        && spec.load_balancer_class.as_deref() == Some(VIP_CLASS)
        && spec.allocate_load_balancer_node_ports == Some(false)
        && spec.ip_family_policy.as_deref() == Some("PreferDualStack");
    let mut ports: Vec<ServicePort> = spec.ports.iter().flatten().map(port).collect::<Option<_>>()?;
    ports.sort_by_key(|port| port.port);
    let status = object.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let ingress = status.and_then(|status| status.ingress.as_ref());
    as_written.then(|| DerivedContent {
        import,
        ports,
        selector: spec.selector.as_ref().is_some_and(|selector| !selector.is_empty()),
        // An entry that we would not write is as good as none: then the whole list is written again.
        vips: ingress
            .into_iter()
            .flatten()
            .map(|entry| match (entry.ip_mode.as_deref(), entry.ip.as_deref()) {
                (None | Some("VIP"), Some(ip)) if entry.hostname.is_none() => ip.parse().ok(),
                _ => None,
            })
            .collect::<Option<_>>()
            .unwrap_or_default(),
    })
}

fn port(given: &KubePort) -> Option<ServicePort> {
    Some(ServicePort {
        name: given.name.as_deref().map(str::parse).transpose().ok()?,
        protocol: protocol(given.protocol.as_deref())?,
        app_protocol: given.app_protocol.clone(),
        port: u16::try_from(given.port).ok().and_then(NonZeroU16::new)?,
    })
}
