//! Delta: only what changed is sent, and what is gone is named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource as WireResource,
};

use super::subscription::Subscription;
use super::{MAX_NAMES, Session, Step, Verdict};
use crate::xds::resource::{ResourceType, Snapshot};

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
    types: BTreeMap<ResourceType, Asked>,
    nonce: u64,
    rejected: bool,
}

#[derive(Debug, Default)]
struct Asked {
    subscription: Subscription,
    pending: BTreeMap<u64, Sent>,
}

#[derive(Debug)]
struct Sent {
    version: String,
    names: Vec<String>,
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
        let Asked { subscription, pending } = self.types.entry(kind).or_default();
        let mut resources = Vec::new();
        for name in &names {
            let Some(resource) = now.get(name) else { continue };
            subscription.send(name, resource);
            resources.push(WireResource {
                name: name.clone(),
                version: resource.version.to_string(),
                resource: Some(resource.body.as_ref().clone()),
                ..WireResource::default()
            });
        }
        subscription.forget(&removed);
        let version = now.version().to_owned();
        let sent = Sent { version: version.clone(), names: names.into_iter().collect() };
        pending.insert(self.nonce, sent);
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
        let Asked { subscription, pending } = self.types.get_mut(&kind)?;
        let sent = pending.remove(&nonce)?;
        let accepted = request.error_detail.is_none();
        subscription.judged(sent.names, accepted);
        self.rejected |= !accepted;
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
        let all: usize = self.types.values().map(|asked| asked.subscription.names.len()).sum();
        let room = MAX_NAMES.saturating_sub(all);
        let now = self.snapshot.of(kind);
        let Asked { subscription, .. } = self.types.entry(kind).or_default();
        let first = subscription.start();
        let (had_all, knows_nothing) = (subscription.wildcard, request.initial_resource_versions.is_empty());
        if first {
            // Only those that are subscribed to are kept, below.
            subscription.claims(request.initial_resource_versions.into_iter().take(room));
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
            let current = now.get(&name).is_some_and(|resource| subscription.has(&name, resource));
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
        subscription.forget_unwanted();
        let mut removed: BTreeSet<String> =
            answer.iter().filter(|name| now.get(name).is_none()).cloned().collect();
        removed.extend(subscription.gone(now));
        answer.retain(|name| !removed.contains(name));
        answer.extend(subscription.changed(now));
        // A new wildcard of a proxy that has nothing is answered even if there is nothing: it waits for that.
        let must = subscription.wildcard && !had_all && knows_nothing;
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
        let differs = |kind| before.of(kind).version() != snapshot.of(kind).version();
        let clusters = self.types.get(&ResourceType::Cluster).filter(|_| differs(ResourceType::Cluster));
        let replaced =
            clusters.map(|clusters| clusters.subscription.replaced(snapshot.of(ResourceType::Cluster)));
        let mut responses = Vec::new();
        for kind in ResourceType::ALL {
            let Some(Asked { subscription, .. }) = self.types.get_mut(&kind) else { continue };
            let again = replaced.as_ref().filter(|_| kind == ResourceType::Endpoint);
            let names =
                subscription.due(before.of(kind), snapshot.of(kind), again.unwrap_or(&BTreeSet::new()));
            if !names.is_empty() {
                responses.push(self.respond(kind, names, BTreeSet::new()));
            }
        }
        for kind in REMOVALS.into_iter().filter(|kind| differs(*kind)) {
            let gone = self.types.get(&kind).map(|asked| asked.subscription.gone(snapshot.of(kind)));
            if let Some(gone) = gone.filter(|gone| !gone.is_empty()) {
                responses.push(self.respond(kind, BTreeSet::new(), gone));
            }
        }
        responses
    }

    fn settled(&self) -> bool {
        !self.rejected && self.types.values().all(|asked| asked.pending.is_empty())
    }

    fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }
}

#[cfg(test)]
mod tests;
