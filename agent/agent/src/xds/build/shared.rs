//! What every proxy of the cluster is told alike, made once for all of them, and again only where the configuration
//! has changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use federation_model::data_plane::{GatewayConfig, OutboundPort, ServicePortId};

use super::{cluster, endpoint, listener, route, secret};
use crate::xds::resource::{ByName, Resource, Resources};

/// The resources that do not depend on who asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shared {
    pub(super) clusters: Resources,
    pub(super) endpoints: Resources,
    pub(super) routes: Resources,
    pub(super) validators: Resources,
    /// Of TCP ports: without and with a socket on the VIP.
    redirected: Resources,
    bound: Resources,
}

impl Shared {
    pub(super) fn listeners(&self, bind_vips: bool) -> &Resources {
        if bind_vips { &self.bound } else { &self.redirected }
    }
}

/// Makes [`Shared`] of one configuration after the other: what comes out depends on the last one only.
#[derive(Debug, Default)]
pub struct SharedBuilder {
    last: Option<(Arc<GatewayConfig>, Arc<Shared>)>,
    ports: BTreeMap<ServicePortId, Port>,
}

/// The resources of one port, and what they were made from.
#[derive(Debug)]
struct Port {
    from: OutboundPort,
    name: String,
    cluster: Resource,
    endpoints: Resource,
    redirected: ByName,
    bound: ByName,
}

/// In which kinds of resources something is not as in the last configuration. Mostly that is endpoints alone.
#[derive(Debug, Clone, Copy)]
struct Touched {
    clusters: bool,
    endpoints: bool,
    routes: bool,
    redirected: bool,
    bound: bool,
}

impl Touched {
    fn all(touched: bool) -> Self {
        Self { clusters: touched, endpoints: touched, routes: touched, redirected: touched, bound: touched }
    }

    fn add(&mut self, before: &Port, now: &Port) {
        self.clusters |= before.cluster != now.cluster;
        self.endpoints |= before.endpoints != now.endpoints;
        // Routes name ports by their addresses, whoever stands behind them.
        self.routes |= before.from.vip != now.from.vip || before.from.app != now.from.app;
        self.redirected |= before.redirected != now.redirected;
        self.bound |= before.bound != now.bound;
    }
}

impl SharedBuilder {
    /// The resources of `config`.
    pub fn build(&mut self, config: &Arc<GatewayConfig>) -> Arc<Shared> {
        if let Some((from, shared)) = &self.last
            && Arc::ptr_eq(from, config)
        {
            return Arc::clone(shared);
        }
        let same_ports = self.ports.keys().eq(config.egress.keys());
        let mut touched = Touched::all(self.last.is_none() || !same_ports);
        if !same_ports {
            self.ports.retain(|id, _| config.egress.contains_key(id));
            for (id, port) in &config.egress {
                self.ports.entry(id.clone()).or_insert_with(|| Port::new(id, port));
            }
        }
        for (known, (id, port)) in self.ports.values_mut().zip(&config.egress) {
            if known.from != *port {
                let made = Port::new(id, port);
                touched.add(known, &made);
                *known = made;
            }
        }
        let shared = Arc::new(self.assemble(config, touched));
        self.last = Some((Arc::clone(config), Arc::clone(&shared)));
        shared
    }

    fn assemble(&self, config: &GatewayConfig, touched: Touched) -> Shared {
        let none = Shared::default();
        let (from, old) = self.last.as_ref().map(|(from, old)| (from.as_ref(), old.as_ref())).unzip();
        let old = old.unwrap_or(&none);
        let named = |touched: bool, old: &Resources, of: fn(&Port) -> &Resource| {
            let made = || self.ports.values().map(|port| (port.name.clone(), of(port).clone())).collect();
            if touched { old.followed_by(made()) } else { old.clone() }
        };
        let listeners = |touched: bool, old: &Resources, of: fn(&Port) -> &ByName| {
            let made = || self.ports.values().flat_map(of).map(cloned).collect();
            if touched { old.followed_by(made()) } else { old.clone() }
        };
        Shared {
            clusters: named(touched.clusters, &old.clusters, |port| &port.cluster),
            endpoints: named(touched.endpoints, &old.endpoints, |port| &port.endpoints),
            redirected: listeners(touched.redirected, &old.redirected, |port| &port.redirected),
            bound: listeners(touched.bound, &old.bound, |port| &port.bound),
            routes: if touched.routes { routes(config) } else { old.routes.clone() },
            validators: match from {
                Some(from) if same_trust(from, config) => old.validators.clone(),
                _ => validators(config),
            },
        }
    }
}

impl Port {
    fn new(id: &ServicePortId, port: &OutboundPort) -> Self {
        let listeners = |bind| {
            let made = listener::tcp(id, port, bind).into_iter();
            made.map(|made| (made.name.clone(), Resource::new(&made))).collect()
        };
        Self {
            from: port.clone(),
            name: id.envoy_cluster(),
            cluster: Resource::new(&cluster::outbound(id, port)),
            endpoints: Resource::new(&endpoint::assignment(id, port)),
            redirected: listeners(false),
            bound: listeners(true),
        }
    }
}

fn cloned((name, resource): (&String, &Resource)) -> (String, Resource) {
    (name.clone(), resource.clone())
}

fn routes(config: &GatewayConfig) -> Resources {
    let made = route::outbound_http(config);
    Resources::shared([(listener::OUTBOUND_HTTP.to_owned(), Resource::new(&made))].into())
}

fn validators(config: &GatewayConfig) -> Resources {
    let made = secret::validators(config).into_iter();
    Resources::shared(made.map(|secret| (secret.name.clone(), Resource::new(&secret))).collect())
}

fn same_trust(a: &GatewayConfig, b: &GatewayConfig) -> bool {
    a.trust_domain == b.trust_domain && a.bundles == b.bundles
}
