//! EndpointSlices of ours.

use std::num::NonZeroU16;
use std::sync::Arc;

use federation_model::{IpFamily, ServiceId};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::import::{family, protocol};
use super::meta;
use crate::mcs::content::{SliceContent, SliceEndpoint, SlicePort, SliceRole};
use crate::mcs::names::{MCS_SERVICE_NAME, MCS_SOURCE_CLUSTER, SERVICE_NAME, SLICE_MANAGED_BY, SLICE_OURS};
use crate::mcs::observed::{Held, ObjectName};

/// An EndpointSlice.
pub fn slice(object: &EndpointSlice) -> Option<(ObjectName, Arc<Held<SliceContent>>)> {
    let name = meta::object_name(&object.metadata)?;
    let content = content(&name, object);
    Some((name, meta::held(&object.metadata, (SLICE_MANAGED_BY, SLICE_OURS), content)))
}

fn content(name: &ObjectName, object: &EndpointSlice) -> Option<SliceContent> {
    let family = family(&object.address_type)?;
    Some(SliceContent {
        role: role(name, &object.metadata)?,
        family,
        ports: object.ports.iter().flatten().map(port).collect::<Option<_>>()?,
        endpoints: object
            .endpoints
            .iter()
            .flatten()
            .map(|given| endpoint(given, family))
            .collect::<Option<_>>()?,
    })
}

fn role(name: &ObjectName, meta: &ObjectMeta) -> Option<SliceRole> {
    match (meta::label(meta, MCS_SERVICE_NAME), meta::label(meta, MCS_SOURCE_CLUSTER)) {
        (Some(service), Some(source)) => {
            let service = ServiceId { namespace: name.namespace.clone(), name: service.parse().ok()? };
            Some(SliceRole::Mcs { service, source: source.parse().ok()? })
        }
        _ => Some(SliceRole::Derived { service: meta::label(meta, SERVICE_NAME)?.to_owned() }),
    }
}

fn port(given: &EndpointPort) -> Option<SlicePort> {
    Some(SlicePort {
        // The API server writes the absent name as an empty one.
        name: match given.name.as_deref() {
            None | Some("") => None,
            Some(name) => Some(name.parse().ok()?),
        },
        protocol: protocol(given.protocol.as_deref())?,
        app_protocol: given.app_protocol.clone(),
        port: u16::try_from(given.port?).ok().and_then(NonZeroU16::new)?,
    })
}

/// What we do not write about an endpoint (`nodeName`, `targetRef`, hints) can only be wrong.
fn endpoint(given: &Endpoint, family: IpFamily) -> Option<SliceEndpoint> {
    let [address] = given.addresses.as_slice() else { return None };
    let address = address.parse().ok()?;
    let conditions = given.conditions.as_ref();
    let more = given.node_name.is_some()
        || given.target_ref.is_some()
        || given.hints.is_some()
        || conditions.is_some_and(|c| c.serving.is_some() || c.terminating.is_some());
    (!more && IpFamily::of(address) == family).then_some(())?;
    Some(SliceEndpoint {
        address,
        ready: conditions.and_then(|c| c.ready)?,
        hostname: given.hostname.clone(),
        zone: given.zone.as_deref().map(str::parse).transpose().ok()?,
    })
}
