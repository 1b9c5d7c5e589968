//! Delta: only what changed is sent, and what is gone is named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource as WireResource,
};

use super::{MAX_NAMES, Session, Step, Verdict, replaced_clusters};
use crate::xds::resource::{ResourceType, Resources, Snapshot};

/// The order in which removals are sent: what refers to something goes before it.
const REMOVALS: [ResourceType; 5] = [
    ResourceType::Listener,
    ResourceType::Route,
    ResourceType::Cluster,
    ResourceType::Endpoint,
    ResourceType::Secret,
];

/// A stream of `DeltaAggregatedResources`.
#[derive(Debug)]
pub struct Delta {
    snapshot: Arc<Snapshot>,
    types: BTreeMap<ResourceType, Subscription>,
    nonce: u64,
    rejected: bool,
}

#[derive(Debug, Default)]
struct Subscription {
    started: bool,
    wildcard: bool,
    names: BTreeSet<String>,
    /// What the proxy has, or will have once it reads what was sent.
    held: BTreeMap<String, Arc<str>>,
    /// Names of rejected responses: sent again once something of the type changes.
    rejected: BTreeSet<String>,
    pending: BTreeMap<u64, Sent>,
}

#[derive(Debug)]
struct Sent {
    version: String,
    names: Vec<String>,
}

impl Subscription {
    fn wants(&self, name: &str) -> bool {
        self.wildcard || self.names.contains(name)
    }

    /// Wanted resources that the proxy does not have in their present version.
    fn changed(&self, now: &Resources) -> BTreeSet<String> {
        now.iter()
            .filter(|(name, resource)| self.wants(name) && self.held.get(*name) != Some(&resource.version))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Resources that the proxy has and that are gone.
    fn gone(&self, now: &Resources) -> BTreeSet<String> {
        self.held.keys().filter(|name| now.get(name).is_none()).cloned().collect()
    }
}

impl Delta {
    /// Makes the response that sends `names` (those that exist) and removes `removed`.
    fn respond(
        &mut self,
        kind: ResourceType,
        names: BTreeSet<String>,
        removed: BTreeSet<String>,
    ) -> DeltaDiscoveryResponse {
        self.nonce += 1;
        let now = self.snapshot.of(kind);
        let subscription = self.types.entry(kind).or_default();
        let mut resources = Vec::new();
        for name in &names {
            let Some(resource) = now.get(name) else { continue };
            subscription.held.insert(name.clone(), Arc::clone(&resource.version));
            resources.push(WireResource {
                name: name.clone(),
                version: resource.version.to_string(),
                resource: Some(resource.body.as_ref().clone()),
                ..WireResource::default()
            });
        }
        for name in &removed {
            subscription.held.remove(name);
        }
        let version = now.version().to_owned();
        let sent = Sent { version: version.clone(), names: names.into_iter().collect() };
        subscription.pending.insert(self.nonce, sent);
        DeltaDiscoveryResponse {
            system_version_info: version,
            resources,
            type_url: kind.type_url(),
            removed_resources: removed.into_iter().collect(),
            nonce: self.nonce.to_string(),
            ..DeltaDiscoveryResponse::default()
        }
    }

    fn verdict(&mut self, kind: ResourceType, request: &DeltaDiscoveryRequest) -> Option<Verdict> {
        let nonce: u64 = request.response_nonce.parse().ok()?;
        let subscription = self.types.get_mut(&kind)?;
        let sent = subscription.pending.remove(&nonce)?;
        if request.error_detail.is_some() {
            subscription.rejected.extend(sent.names);
            self.rejected = true;
        } else {
            for name in &sent.names {
                subscription.rejected.remove(name);
            }
        }
        Some(Verdict::of(kind, sent.version, request.error_detail.as_ref()))
    }
}

impl Session for Delta {
    type Request = DeltaDiscoveryRequest;
    type Response = DeltaDiscoveryResponse;

    fn new(snapshot: Arc<Snapshot>) -> Self {
        Self { snapshot, types: BTreeMap::new(), nonce: 0, rejected: false }
    }

    fn node(request: &Self::Request) -> Option<&Node> {
        request.node.as_ref()
    }

    fn on_request(&mut self, request: Self::Request) -> Step<Self::Response> {
        let Some(kind) = ResourceType::of_url(&request.type_url) else { return Step::nothing() };
        let verdict = self.verdict(kind, &request);
        let all: usize = self.types.values().map(|subscription| subscription.names.len()).sum();
        let room = MAX_NAMES.saturating_sub(all);
        let now = self.snapshot.of(kind);
        let subscription = self.types.entry(kind).or_default();
        let first = !std::mem::replace(&mut subscription.started, true);
        let (had_all, knows_nothing) = (subscription.wildcard, request.initial_resource_versions.is_empty());
        if first {
            // Only those that are subscribed to are kept, below.
            subscription.held = request
                .initial_resource_versions
                .into_iter()
                .take(room)
                .map(|(n, v)| (n, v.into()))
                .collect();
            // The old way of asking for all; it stays in force beside names that are added later.
            subscription.wildcard = kind.whole() && request.resource_names_subscribe.is_empty();
        }
        // Subscriptions count whatever the nonce: in delta a stale one says nothing about them.
        let mut answer = BTreeSet::new();
        for name in request.resource_names_subscribe.into_iter().take(room) {
            if name == "*" {
                subscription.wildcard = true;
                continue;
            }
            let held = subscription.held.get(&name);
            let current = held.is_some() && held == now.get(&name).map(|resource| &resource.version);
            // Asking again means that it is needed again, whatever was sent; only what a first request says it has is
            // believed.
            if !(first && current) {
                answer.insert(name.clone());
            }
            subscription.names.insert(name);
        }
        for name in request.resource_names_unsubscribe {
            if name == "*" {
                subscription.wildcard = false;
            } else if subscription.names.remove(&name) && subscription.wildcard {
                // It stays subscribed to by the wildcard, and the proxy must hear so.
                answer.insert(name);
            }
        }
        let (wildcard, names) = (subscription.wildcard, &subscription.names);
        subscription.held.retain(|name, _| wildcard || names.contains(name));
        let mut removed: BTreeSet<String> =
            answer.iter().filter(|name| now.get(name).is_none()).cloned().collect();
        removed.extend(subscription.gone(now));
        answer.retain(|name| !removed.contains(name));
        answer.extend(subscription.changed(now));
        // A new wildcard of a proxy that has nothing is answered even if there is nothing: it waits for that.
        let must = wildcard && !had_all && knows_nothing;
        let responses = if must || !answer.is_empty() || !removed.is_empty() {
            vec![self.respond(kind, answer, removed)]
        } else {
            Vec::new()
        };
        Step { responses, verdict }
    }

    fn on_snapshot(&mut self, snapshot: Arc<Snapshot>) -> Vec<Self::Response> {
        let before = std::mem::replace(&mut self.snapshot, Arc::clone(&snapshot));
        self.rejected = false;
        let had = self.types.get(&ResourceType::Cluster).map(|clusters| clusters.held.iter());
        let replaced = replaced_clusters(had.into_iter().flatten(), &snapshot);
        let mut responses = Vec::new();
        for kind in ResourceType::ALL {
            let Some(subscription) = self.types.get_mut(&kind) else { continue };
            let now = snapshot.of(kind);
            let mut names = subscription.changed(now);
            if kind == ResourceType::Endpoint {
                names.extend(
                    replaced
                        .iter()
                        .filter(|name| subscription.wants(name) && now.get(name).is_some())
                        .cloned(),
                );
            }
            if now.version() != before.of(kind).version() {
                let again = std::mem::take(&mut subscription.rejected);
                names.extend(
                    again.into_iter().filter(|name| subscription.wants(name) && now.get(name).is_some()),
                );
            }
            if !names.is_empty() {
                responses.push(self.respond(kind, names, BTreeSet::new()));
            }
        }
        for kind in REMOVALS {
            let gone = self.types.get(&kind).map(|subscription| subscription.gone(snapshot.of(kind)));
            if let Some(gone) = gone.filter(|gone| !gone.is_empty()) {
                responses.push(self.respond(kind, BTreeSet::new(), gone));
            }
        }
        responses
    }

    fn settled(&self) -> bool {
        !self.rejected && self.types.values().all(|subscription| subscription.pending.is_empty())
    }

    fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }
}

#[cfg(test)]
mod tests;
