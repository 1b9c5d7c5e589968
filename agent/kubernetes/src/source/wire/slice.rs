//! EndpointSlices: most of what an API server has to say, so they are read straight into what is kept.

use std::sync::Arc;

use agent_plan::mcs::content::SliceContent;
use agent_plan::mcs::observed::{Held, ObjectName};
use agent_plan::mcs::parse as mcs;
use federation_model::ServiceId;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use super::{Meta, Wire, typed};
use crate::source::kind::Kind;
use crate::source::message::{Change, Update};
use crate::source::parse;

const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// An EndpointSlice.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SliceItem {
    /// The Service that its label names, and what exporting it needs. None of ours, and none that belongs to nobody.
    pub(crate) theirs: Option<(ServiceId, LeanSlice)>,
    /// A slice under a name of ours, whether it is ours or not.
    pub(crate) held: Option<(ObjectName, Arc<Held<SliceContent>>)>,
}

/// What exporting a slice needs, in a sixth of the memory of Kubernetes' own type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LeanSlice {
    pub(crate) address_type: Box<str>,
    pub(crate) ports: Box<[LeanPort]>,
    pub(crate) endpoints: Box<[LeanEndpoint]>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeanPort {
    #[serde(default)]
    pub(crate) name: Option<Box<str>>,
    #[serde(default)]
    pub(crate) protocol: Option<Box<str>>,
    #[serde(default)]
    pub(crate) port: Option<i32>,
    #[serde(default)]
    pub(crate) app_protocol: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeanEndpoint {
    #[serde(default)]
    pub(crate) addresses: Vec<Box<str>>,
    #[serde(default)]
    pub(crate) conditions: LeanConditions,
    #[serde(default)]
    pub(crate) hostname: Option<Box<str>>,
    #[serde(default)]
    pub(crate) zone: Option<Box<str>>,
    /// Only kept for the gateways' own slices.
    #[serde(default)]
    pub(crate) node_name: Option<Box<str>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct LeanConditions {
    #[serde(default)]
    pub(crate) ready: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    metadata: Meta,
    #[serde(default)]
    address_type: Box<str>,
    #[serde(default)]
    endpoints: Option<Vec<LeanEndpoint>>,
    #[serde(default)]
    ports: Option<Vec<LeanPort>>,
}

impl Wire for SliceItem {
    const KIND: Kind = Kind::EndpointSlices;

    fn read(json: &str) -> Result<Self, String> {
        let Document { metadata, address_type, endpoints, ports } = typed(json)?;
        let mut endpoints = endpoints.unwrap_or_default();
        for endpoint in &mut endpoints {
            endpoint.addresses.shrink_to_fit();
        }
        let lean =
            LeanSlice { address_type, ports: ports.unwrap_or_default().into(), endpoints: endpoints.into() };
        let service = service_of(&metadata)?;
        let metadata = metadata.into_object_meta();
        let ours = parse::is_our_slice(&metadata);
        let held = if ours || parse::is_our_slice_name(metadata.name.as_deref().unwrap_or_default()) {
            // Read once more, whole: what we do not write must not be overlooked.
            let whole: EndpointSlice = typed(json)?;
            mcs::slice(&whole)
        } else {
            None
        };
        Ok(Self { theirs: service.filter(|_| !ours).map(|service| (service, lean)), held })
    }

    fn update(change: Change<Self>) -> Update {
        Update::EndpointSlices(change)
    }
}

/// The Service of the label; none where the label is missing or names what cannot be a Service.
fn service_of(metadata: &Meta) -> Result<Option<ServiceId>, String> {
    let namespace = metadata.namespace.parse().map_err(|wrong| format!("metadata.namespace: {wrong}"))?;
    let name = metadata.label(SERVICE_NAME).and_then(|name| name.parse().ok());
    Ok(name.map(|name| ServiceId { namespace, name }))
}

impl LeanSlice {
    /// In Kubernetes' own type, for a slice of this name, as far as an export needs it.
    pub(crate) fn thaw(&self, name: Option<(&str, &str)>) -> EndpointSlice {
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        let ports = self.ports.iter().map(|port| EndpointPort {
            name: text(&port.name),
            protocol: text(&port.protocol),
            port: port.port,
            app_protocol: text(&port.app_protocol),
        });
        let endpoints = self.endpoints.iter().map(|endpoint| Endpoint {
            addresses: endpoint.addresses.iter().map(|address| address.clone().into_string()).collect(),
            conditions: endpoint
                .conditions
                .ready
                .map(|ready| EndpointConditions { ready: Some(ready), ..EndpointConditions::default() }),
            hostname: text(&endpoint.hostname),
            zone: text(&endpoint.zone),
            ..Endpoint::default()
        });
        EndpointSlice {
            metadata: ObjectMeta {
                namespace: name.map(|(namespace, _)| namespace.to_owned()),
                name: name.map(|(_, name)| name.to_owned()),
                ..ObjectMeta::default()
            },
            address_type: self.address_type.clone().into_string(),
            endpoints: Some(endpoints.collect()),
            ports: Some(ports.collect()),
        }
    }

    /// The reverse, of a slice that was kept.
    pub(crate) fn freeze(slice: &EndpointSlice) -> Self {
        let text = |text: &Option<String>| text.as_deref().map(Box::from);
        let ports = slice.ports.iter().flatten().map(|port| LeanPort {
            name: text(&port.name),
            protocol: text(&port.protocol),
            port: port.port,
            app_protocol: text(&port.app_protocol),
        });
        let endpoints = slice.endpoints.iter().flatten().map(|endpoint| LeanEndpoint {
            addresses: endpoint.addresses.iter().map(|address| address.as_str().into()).collect(),
            conditions: LeanConditions { ready: endpoint.conditions.as_ref().and_then(|c| c.ready) },
            hostname: text(&endpoint.hostname),
            zone: text(&endpoint.zone),
            node_name: None,
        });
        Self {
            address_type: slice.address_type.as_str().into(),
            ports: ports.collect(),
            endpoints: endpoints.collect(),
        }
    }

    /// Forgets on which nodes the endpoints run.
    pub(crate) fn without_nodes(mut self) -> Self {
        for endpoint in &mut self.endpoints {
            endpoint.node_name = None;
        }
        self
    }
}
