//! Where this cluster's gateways are: for its own pods, and for other clusters.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use federation_model::cluster::MAX_GATEWAYS;
use federation_model::{Gateway, ServiceId};
use k8s_openapi::api::core::v1::{Service, ServicePort};

use crate::source::LocalGateways;
use crate::source::wire::{Key, LeanSlice, LoadBalancer, NodeItem};

/// The port of the gateways for mTLS from other clusters.
const MTLS_PORT: i32 = 15443;
/// Its name in the gateways' Service.
const MTLS_NAME: &str = "mtls";

/// The gateways' Service, its slices, and the nodes while they matter.
#[derive(Debug, Default)]
pub(in crate::source) struct GatewayIndex {
    id: Option<ServiceId>,
    service: Option<(Arc<Service>, LoadBalancer)>,
    slices: BTreeMap<Key, LeanSlice>,
    nodes: BTreeMap<String, NodeItem>,
}

impl GatewayIndex {
    pub(super) fn new(id: Option<ServiceId>) -> Self {
        Self { id, ..Self::default() }
    }

    pub(super) fn set_service(
        &mut self,
        id: &ServiceId,
        service: Option<&(Arc<Service>, LoadBalancer)>,
    ) -> bool {
        if self.id.as_ref() != Some(id) || self.service.as_ref() == service {
            return false;
        }
        self.service = service.cloned();
        true
    }

    pub(super) fn set_slice(&mut self, key: &Key, slice: Option<&(ServiceId, LeanSlice)>) -> bool {
        match slice.filter(|(service, _)| self.id.as_ref() == Some(service)) {
            Some((_, slice)) if self.slices.get(key) == Some(slice) => false,
            Some((_, slice)) => {
                self.slices.insert(key.clone(), slice.clone());
                true
            }
            None => self.slices.remove(key).is_some(),
        }
    }

    pub(super) fn set_node(&mut self, node: NodeItem) -> bool {
        if self.nodes.get(&node.name) == Some(&node) {
            return false;
        }
        self.nodes.insert(node.name.clone(), node);
        true
    }

    pub(super) fn remove_node(&mut self, name: &str) -> bool {
        self.nodes.remove(name).is_some()
    }

    pub(super) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node_keys(&self) -> impl Iterator<Item = Key> {
        self.nodes.keys().map(|name| Key { namespace: "".into(), name: name.as_str().into() })
    }

    /// Whether the nodes must be known.
    pub(in crate::source) fn wants_nodes(&self) -> bool {
        self.kind() == "NodePort"
    }

    /// Where the gateways are now.
    pub(in crate::source) fn current(&self) -> LocalGateways {
        let Some(id) = &self.id else { return LocalGateways::default() };
        let ready = self.ready().map(|(address, ..)| address).collect();
        let external = match &self.service {
            None => Err(format!("there is no Service {id} for the gateways")),
            Some((service, balancer)) => match self.kind() {
                "LoadBalancer" => balanced(service, balancer),
                "NodePort" => self.on_nodes(service),
                "ExternalName" => Err(format!("Service {id} is of type ExternalName")),
                _ => Ok(self.flat(service)),
            },
        };
        match external {
            Ok(mut external) => {
                external.sort();
                external.dedup_by_key(|gateway| gateway.address);
                external.truncate(MAX_GATEWAYS);
                LocalGateways { ready, external, problem: None }
            }
            Err(problem) => LocalGateways { ready, external: Vec::new(), problem: Some(problem) },
        }
    }

    fn kind(&self) -> &str {
        let spec = self.service.as_ref().and_then(|(service, _)| service.spec.as_ref());
        spec.and_then(|spec| spec.type_.as_deref()).unwrap_or("ClusterIP")
    }

    /// Ready endpoints, with the slice that each is in.
    fn ready(&self) -> impl Iterator<Item = (IpAddr, &LeanSlice, Option<&str>, Option<&str>)> {
        self.slices.values().flat_map(|slice| {
            let ready = slice.endpoints.iter().filter(|endpoint| endpoint.conditions.ready.unwrap_or(true));
            ready.filter_map(move |endpoint| {
                let address = endpoint.addresses.first()?.parse().ok()?;
                Some((address, slice, endpoint.node_name.as_deref(), endpoint.zone.as_deref()))
            })
        })
    }

    /// Pods themselves: for networks in which pods of different clusters reach each other.
    fn flat(&self, service: &Service) -> Vec<Gateway> {
        let name = mtls(service).and_then(|port| port.name.as_deref());
        let each = self.ready().filter_map(|(address, slice, _, zone)| {
            let named = slice.ports.iter().find(|port| port.name.as_deref() == name);
            let port = u16::try_from(named.and_then(|port| port.port).unwrap_or(MTLS_PORT)).ok()?;
            let zone = zone.and_then(|zone| zone.parse().ok());
            Some(Gateway { address: SocketAddr::new(address, port), zone, weight: 1 })
        });
        each.collect()
    }

    fn on_nodes(&self, service: &Service) -> Result<Vec<Gateway>, String> {
        let port = mtls(service).and_then(|port| port.node_port).and_then(|port| u16::try_from(port).ok());
        let port = port.ok_or("the gateways' Service has no node port yet")?;
        let local =
            service.spec.as_ref().and_then(|spec| spec.external_traffic_policy.as_deref()) == Some("Local");
        // With externalTrafficPolicy Local other nodes drop what comes for the port.
        let with_gateway: BTreeSet<&str> = self.ready().filter_map(|(_, _, node, _)| node).collect();
        let usable = self.nodes.values().filter(|node| node.usable);
        let here = usable.filter(|node| !local || with_gateway.contains(node.name.as_str()));
        let gateways = here.flat_map(|node| {
            let each = node.addresses.iter();
            each.map(|address| Gateway {
                address: SocketAddr::new(*address, port),
                zone: node.zone.clone(),
                weight: 1,
            })
        });
        Ok(gateways.collect())
    }
}

fn balanced(service: &Service, balancer: &LoadBalancer) -> Result<Vec<Gateway>, String> {
    let port = mtls(service).and_then(|port| u16::try_from(port.port).ok());
    let port = port.ok_or("the gateways' Service has no TCP port")?;
    let addresses: Vec<IpAddr> = balancer.ips.iter().filter_map(|ip| ip.parse().ok()).collect();
    if addresses.is_empty() {
        return Err(match balancer.hostnames.first() {
            Some(name) => format!(
                "the load balancer of the gateways' Service has only a name ({name}), and other clusters need \
                 addresses: set [[gateways]] in agent.toml"
            ),
            None => "the gateways' Service has no address from its load balancer yet".to_owned(),
        });
    }
    let gateway = |address| Gateway { address: SocketAddr::new(address, port), zone: None, weight: 1 };
    Ok(addresses.into_iter().map(gateway).collect())
}

/// The port for other clusters: by its name, else by its number, else the first of TCP.
fn mtls(service: &Service) -> Option<&ServicePort> {
    let ports = service.spec.as_ref()?.ports.as_deref()?;
    let tcp = || ports.iter().filter(|port| port.protocol.as_deref().unwrap_or("TCP") == "TCP");
    tcp()
        .find(|port| port.name.as_deref() == Some(MTLS_NAME))
        .or_else(|| tcp().find(|port| port.port == MTLS_PORT))
        .or_else(|| tcp().next())
}
