//! Laws that hold after any sequence of commands. Property tests and, later, the simulation check them.

use std::collections::BTreeSet;

use super::State;
use crate::export::ExportKind;
use crate::session::MAX_WITHDRAWN;

impl State {
    /// Every law that is broken, in words; empty when all hold.
    pub fn violations(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for export in self.exports() {
            if !self.clusters.contains_key(&export.cluster) {
                broken.push(format!("export of {} belongs to no registered cluster", export.service));
            }
            if export.kind == ExportKind::ClusterSetIp && !self.vips.contains_key(&export.service) {
                broken.push(format!("exported service {} has no VIP", export.service));
            }
        }
        let addresses: BTreeSet<_> = self.vips.values().map(|vip| vip.v4).collect();
        if addresses.len() != self.vips.len() {
            broken.push("two services share a VIP".to_owned());
        }
        if self.vips.len() != self.next_vip as usize {
            broken.push(format!("{} VIPs were given and {} are there", self.next_vip, self.vips.len()));
        }
        for service in self.exports.iter().filter(|(_, by_cluster)| by_cluster.is_empty()).map(|(s, _)| s) {
            broken.push(format!("service {service} is kept without an export"));
        }
        let domains: BTreeSet<_> = self.clusters.values().map(|c| &c.trust_domain).collect();
        if domains.len() != self.clusters.len() {
            broken.push("two clusters share a trust domain".to_owned());
        }
        for (cluster, session) in &self.sessions {
            if !self.clusters.contains_key(cluster) {
                broken.push(format!("session of {cluster} belongs to no registered cluster"));
            }
            for service in session.withdrawn.services().filter(|s| self.export(s, cluster).is_some()) {
                broken.push(format!("export of {service} by {cluster} is both there and withdrawn"));
            }
            if session.withdrawn.len() > MAX_WITHDRAWN {
                broken.push(format!("the session of {cluster} remembers too much"));
            }
        }
        for domain in self.bundles.keys().filter(|d| !domains.contains(d)) {
            broken.push(format!("bundle of {domain} belongs to no cluster"));
        }
        broken
    }
}
