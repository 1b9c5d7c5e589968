//! Where this cluster's gateways listen for imports, on their own addresses: one port for each imported TCP port, the
//! same at every gateway.
//!
//! A port never moves while its import lives: connections and the nodes' rules refer to it. It is preferred by a hash
//! of what it is for, so that even a lost file gives mostly the same ports; and what the cluster's derived slices say is
//! taken over, so that it gives all the same.

mod range;
mod saved;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU16;
use std::sync::Arc;

use federation_model::data_plane::ServicePortId;
use sha2::{Digest, Sha256};

use crate::mcs::content::SliceRole;
use crate::mcs::names;
use crate::mcs::observed::{ObjectName, Observed};

pub use range::{InvalidPortRange, PortRange};
pub use saved::{InvalidSaved, Saved};

/// Most names that a problem mentions.
const NAMED: usize = 5;

/// The assignment of ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressPorts {
    range: PortRange,
    ports: Arc<BTreeMap<ServicePortId, NonZeroU16>>,
    taken: BTreeSet<NonZeroU16>,
    without: BTreeSet<ServicePortId>,
}

impl EgressPorts {
    /// Nothing is assigned yet.
    pub fn new(range: PortRange) -> Self {
        Self { range, ports: Arc::default(), taken: BTreeSet::new(), without: BTreeSet::new() }
    }

    /// Makes the assignment be for exactly `wanted`: those that have a port keep it, those that are wanted no more lose
    /// theirs, and the rest get one each, in their own order, as long as there are any. Returns whether a port changed.
    pub fn assign(&mut self, wanted: impl IntoIterator<Item = ServicePortId>) -> bool {
        let wanted: BTreeSet<ServicePortId> = wanted.into_iter().collect();
        let gone = self.ports.keys().any(|id| !wanted.contains(id));
        if gone {
            Arc::make_mut(&mut self.ports).retain(|id, _| wanted.contains(id));
            self.taken = self.ports.values().copied().collect();
        }
        let had = self.ports.len();
        self.without.clear();
        for id in wanted {
            if self.ports.contains_key(&id) {
                continue;
            }
            match self.free(&id) {
                Some(port) => self.take(id, port),
                None => {
                    self.without.insert(id);
                }
            }
        }
        gone || self.ports.len() != had
    }

    /// Whether the assignment is for exactly `wanted`, given in ascending order, and each of them has a port.
    pub fn is_for<'a>(&self, wanted: impl IntoIterator<Item = &'a ServicePortId>) -> bool {
        self.without.is_empty() && self.ports.keys().eq(wanted)
    }

    /// Takes over ports that are in use, where they are in the range and nobody else has them. What has a port keeps
    /// it. To be called before the first [`assign`](Self::assign).
    pub fn adopt(&mut self, found: impl IntoIterator<Item = (ServicePortId, NonZeroU16)>) {
        let found: BTreeSet<(ServicePortId, NonZeroU16)> = found.into_iter().collect();
        for (id, port) in found {
            let free = self.range.contains(port) && !self.taken.contains(&port);
            if free && !self.ports.contains_key(&id) {
                self.take(id, port);
            }
        }
    }

    /// The assignment. The same pointer as long as nothing changes.
    pub fn ports(&self) -> Arc<BTreeMap<ServicePortId, NonZeroU16>> {
        Arc::clone(&self.ports)
    }

    /// What is wrong with it now.
    pub fn problem(&self) -> Option<RangeFull> {
        (!self.without.is_empty()).then(|| RangeFull {
            range: self.range,
            missing: self.without.len(),
            first: self.without.iter().take(NAMED).cloned().collect(),
        })
    }

    /// For the agent's data directory.
    pub fn save(&self) -> Saved {
        Saved::of(&self.ports)
    }

    /// As saved before. Ports that are outside of the range, because it was made smaller, are given anew.
    pub fn restore(range: PortRange, saved: Saved) -> Self {
        let mut ports = Self::new(range);
        ports.adopt(saved.into_ports());
        ports
    }

    fn take(&mut self, id: ServicePortId, port: NonZeroU16) {
        self.taken.insert(port);
        Arc::make_mut(&mut self.ports).insert(id, port);
    }

    /// The first free port from the preferred one on, and on from the start of the range.
    fn free(&self, id: &ServicePortId) -> Option<NonZeroU16> {
        if self.taken.len() >= self.range.len() {
            return None;
        }
        let digest = Sha256::digest(id.to_string().as_bytes());
        let start = digest.iter().take(8).fold(0u64, |bits, byte| (bits << 8) | u64::from(*byte));
        self.range.from(start).find(|port| !self.taken.contains(port))
    }
}

/// The ports that the derived slices of a cluster name, for [`EgressPorts::adopt`].
pub fn in_use(observed: &Observed) -> BTreeMap<ServicePortId, NonZeroU16> {
    let slices = observed.slices.iter().filter(|(_, held)| held.ours && !held.deleting);
    let mut found = BTreeMap::new();
    for (at, slice) in slices.filter_map(|(name, held)| Some((name, held.content.as_ref()?))) {
        let SliceRole::Derived { service } = &slice.role else { continue };
        let name = ObjectName { namespace: at.namespace.clone(), name: service.clone() };
        let derived = observed.derived.get(&name).filter(|held| held.ours);
        let Some(derived) = derived.and_then(|held| held.content.as_ref()) else { continue };
        for listening in &slice.ports {
            let named = |port: &&federation_model::ServicePort| {
                port.name == listening.name && names::derived_port_name(port.port) == port.name
            };
            if let Some(port) = derived.ports.iter().find(named) {
                let id = ServicePortId { service: derived.import.clone(), port: port.port };
                found.entry(id).or_insert(listening.port);
            }
        }
    }
    found
}

/// There are more imported ports than the range has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeFull {
    /// The range.
    pub range: PortRange,
    /// How many imported ports have none.
    pub missing: usize,
    /// The first of them.
    pub first: Vec<ServicePortId>,
}

impl fmt::Display for RangeFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { range, missing, first } = self;
        let named: Vec<String> = first.iter().map(ToString::to_string).collect();
        let more = if *missing > first.len() { " and others" } else { "" };
        write!(
            f,
            "all {} ports of [gateway] egress_ports = \"{range}\" are taken, and {missing} imported ports have none: {}{more}; \
             pods without a proxy cannot reach these: make the range larger",
            range.len(),
            named.join(", ")
        )
    }
}

#[cfg(test)]
mod tests;
