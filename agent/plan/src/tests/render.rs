//! Plans as text, for golden files that a person can judge.

use std::fmt::Write;

use crate::desired::DnsKind;
use crate::{Desired, LocalView};
use federation_model::data_plane::{ExpectedPeer, Target, Via};
use federation_model::{ExportScope, MtlsMode};

pub(super) fn local(view: &LocalView) -> String {
    let mut out = String::new();
    for (id, own) in &view.exports {
        let e = &own.export;
        writeln!(out, "export {id} {:?} {} {}", e.kind, scope(&e.scope), mtls(&e.mtls)).unwrap();
        for p in &e.ports {
            let name = p.name.as_ref().map_or("-", |n| n.as_str());
            let app = p.app_protocol.as_deref().unwrap_or("-");
            writeln!(out, "  port {name} {:?} {} app {app}", p.protocol, p.port).unwrap();
        }
        writeln!(out, "  affinity {:?}", e.session_affinity).unwrap();
        for (what, map) in [("label", &e.labels), ("annotation", &e.annotations)] {
            map.iter().for_each(|(key, value)| writeln!(out, "  {what} {key}={value}").unwrap());
        }
        for l in &e.localities {
            let zone = l.zone.as_ref().map_or("-", |z| z.as_str());
            writeln!(out, "  locality {zone} {}/{} ready", l.ready, l.total).unwrap();
        }
        for p in &e.endpoints {
            let (name, zone) = (p.hostname.as_ref().map_or("-", |n| n.as_str()), zone(p.zone.as_ref()));
            writeln!(out, "  endpoint {} {name} zone {zone} {}", p.address, ready(p.ready)).unwrap();
        }
        for b in &own.backends {
            writeln!(
                out,
                "  backend {} -> {} zone {} {}",
                b.port,
                b.address,
                zone(b.zone.as_ref()),
                ready(b.ready)
            )
            .unwrap();
        }
    }
    for (id, reason) in &view.invalid {
        writeln!(out, "invalid {id}: {reason}").unwrap();
    }
    out
}

pub(super) fn desired(desired: &Desired) -> String {
    let mut out = String::new();
    for (id, service) in &desired.dns.services {
        writeln!(out, "dns {}", id.host()).unwrap();
        match &service.kind {
            DnsKind::Vip(addresses) => writeln!(out, "  vip {addresses:?}").unwrap(),
            DnsKind::Headless(endpoints) => {
                for e in endpoints {
                    writeln!(out, "  endpoint {} {}.{}", e.address, e.hostname, e.cluster).unwrap();
                }
            }
        }
        for p in &service.ports {
            let name = p.name.as_ref().map_or("-", |n| n.as_str());
            writeln!(out, "  port {name} {:?} {}", p.protocol, p.port).unwrap();
        }
    }
    for (id, route) in &desired.gateway.ingress {
        let how = if route.end_to_end { "relay" } else { "end mTLS" };
        writeln!(out, "ingress {}:{} {how} {}", id.service, id.port, scope(&route.scope)).unwrap();
        route.endpoints.iter().for_each(|address| writeln!(out, "  to {address}").unwrap());
    }
    for (id, port) in &desired.gateway.egress {
        writeln!(out, "egress {}:{} at {:?} speaking {:?}", id.service, id.port, port.vip, port.app).unwrap();
        for (index, group) in port.groups.iter().enumerate() {
            group.targets.iter().for_each(|t| writeln!(out, "  {index}: {}", target(t)).unwrap());
        }
    }
    for (domain, cluster) in &desired.gateway.cluster_domains {
        let bundle = desired.gateway.bundles.get(domain).map(|b| &b.authorities);
        writeln!(out, "domain {domain} of {cluster} bundle {bundle:?}").unwrap();
    }
    out
}

fn target(t: &Target) -> String {
    let via = match &t.via {
        Via::Plain => "plain".to_owned(),
        Via::Mtls { sni, trust_domain, expect } => {
            let expect = match expect {
                ExpectedPeer::OneOf(ids) => ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
                ExpectedPeer::AnyOfNamespace(namespace) => format!("any of ns {namespace}"),
            };
            format!("mTLS of {trust_domain}\n       asks {sni}\n       expects {expect}")
        }
    };
    format!("{} {} weight {} {via}", t.cluster, t.address, t.weight)
}

fn scope(scope: &ExportScope) -> String {
    match scope {
        ExportScope::All => "to all".to_owned(),
        ExportScope::Clusters(named) => format!("to {named:?}"),
    }
}

fn mtls(mode: &MtlsMode) -> String {
    match mode {
        MtlsMode::Gateway => "Gateway".to_owned(),
        MtlsMode::EndToEnd { identities } => format!("EndToEnd {identities:?}"),
    }
}

fn zone(zone: Option<&federation_model::Zone>) -> &str {
    zone.map_or("-", |z| z.as_str())
}

fn ready(ready: bool) -> &'static str {
    if ready { "ready" } else { "not ready" }
}
