//! State of the world: requests name all that is wanted; for two types a response holds all that exists.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};
use envoy_types::pb::google::protobuf::Any;

use super::{MAX_NAMES, Session, Step, Verdict, replaced_clusters};
use crate::xds::resource::{ResourceType, Resources, Snapshot};

/// A stream of `StreamAggregatedResources`.
#[derive(Debug)]
pub struct Sotw {
    snapshot: Arc<Snapshot>,
    types: BTreeMap<ResourceType, Subscription>,
    nonce: u64,
    rejected: bool,
}

#[derive(Debug, Default)]
struct Subscription {
    started: bool,
    wildcard: bool,
    /// Whether names, or `*`, were ever asked for: from then on an empty list means nothing, no longer everything.
    explicit: bool,
    names: BTreeSet<String>,
    sent: BTreeMap<String, Arc<str>>,
    /// Names of rejected responses: sent again once something of the type changes.
    rejected: BTreeSet<String>,
    last: Option<Last>,
}

/// The last response. Earlier ones need no verdict: the proxy's word on this one comes after its word on them.
#[derive(Debug)]
struct Last {
    nonce: u64,
    version: String,
    names: Vec<String>,
    judged: bool,
}

impl Subscription {
    fn wants(&self, name: &str) -> bool {
        self.wildcard || self.names.contains(name)
    }

    fn changed(&self, now: &Resources) -> BTreeSet<String> {
        now.iter()
            .filter(|(name, resource)| self.wants(name) && self.sent.get(*name) != Some(&resource.version))
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn gone(&self, now: &Resources) -> BTreeSet<String> {
        self.sent.keys().filter(|name| now.get(name).is_none()).cloned().collect()
    }
}

impl Sotw {
    /// A response of `kind` with `names`, or with all that is wanted if the type is one whose absent resources are
    /// deleted. `keep` are resources that are gone but not to be deleted yet.
    fn respond(&mut self, kind: ResourceType, names: BTreeSet<String>, keep: Vec<Any>) -> DiscoveryResponse {
        self.nonce += 1;
        let now = self.snapshot.of(kind);
        let subscription = self.types.entry(kind).or_default();
        let sending = |name: &String| names.contains(name) || kind.whole() && subscription.wants(name);
        let chosen: Vec<_> = now.iter().filter(|(name, _)| sending(name)).collect();
        // The version of a response that keeps something is not that of the snapshot.
        let version = format!("{}{}", now.version(), if keep.is_empty() { "" } else { "+" });
        let mut resources: Vec<Any> = Vec::with_capacity(chosen.len() + keep.len());
        if kind.whole() && keep.is_empty() {
            subscription.sent.clear();
        }
        let names = chosen.iter().map(|(name, _)| (*name).clone()).collect();
        for (name, resource) in chosen {
            subscription.sent.insert(name.clone(), Arc::clone(&resource.version));
            resources.push(resource.body.as_ref().clone());
        }
        resources.extend(keep);
        subscription.last = Some(Last { nonce: self.nonce, version: version.clone(), names, judged: false });
        DiscoveryResponse {
            version_info: version,
            resources,
            type_url: kind.type_url(),
            nonce: self.nonce.to_string(),
            ..DiscoveryResponse::default()
        }
    }
}

impl Session for Sotw {
    type Request = DiscoveryRequest;
    type Response = DiscoveryResponse;

    fn new(snapshot: Arc<Snapshot>) -> Self {
        Self { snapshot, types: BTreeMap::new(), nonce: 0, rejected: false }
    }

    fn node(request: &Self::Request) -> Option<&Node> {
        request.node.as_ref()
    }

    fn on_request(&mut self, request: Self::Request) -> Step<Self::Response> {
        let Some(kind) = ResourceType::of_url(&request.type_url) else { return Step::nothing() };
        let others = self.types.iter().filter(|(other, _)| **other != kind);
        let room = MAX_NAMES.saturating_sub(others.map(|(_, subscription)| subscription.names.len()).sum());
        let now = self.snapshot.of(kind);
        let subscription = self.types.entry(kind).or_default();
        let mut verdict = None;
        if let Some(last) = subscription.last.as_mut().filter(|_| !request.response_nonce.is_empty()) {
            if request.response_nonce != last.nonce.to_string() {
                // Written before the last response was read; what it wants is said again with the next.
                return Step::nothing();
            }
            if !std::mem::replace(&mut last.judged, true) {
                let names = std::mem::take(&mut last.names);
                if request.error_detail.is_some() {
                    self.rejected = true;
                    subscription.rejected.extend(names);
                } else {
                    subscription.rejected.retain(|name| !names.contains(name));
                }
                verdict = Some(Verdict::of(kind, last.version.clone(), request.error_detail.as_ref()));
            }
        }
        let first = !std::mem::replace(&mut subscription.started, true);
        let had_all = subscription.wildcard;
        let mut names: BTreeSet<String> = request.resource_names.into_iter().take(room).collect();
        let star = names.remove("*");
        subscription.explicit |= star || !names.is_empty();
        subscription.wildcard = star || kind.whole() && !subscription.explicit;
        let before = std::mem::replace(&mut subscription.names, names);
        let (wildcard, names) = (subscription.wildcard, &subscription.names);
        subscription.sent.retain(|name, _| wildcard || names.contains(name));
        let added = names.iter().any(|name| !before.contains(name) && !had_all);
        let changed = subscription.changed(now);
        let must = wildcard && (first || !had_all) || added && kind.whole();
        let responses = if must || !changed.is_empty() {
            vec![self.respond(kind, changed, Vec::new())]
        } else {
            Vec::new()
        };
        Step { responses, verdict }
    }

    fn on_snapshot(&mut self, snapshot: Arc<Snapshot>) -> Vec<Self::Response> {
        let before = std::mem::replace(&mut self.snapshot, Arc::clone(&snapshot));
        self.rejected = false;
        let had = self.types.get(&ResourceType::Cluster).map(|clusters| clusters.sent.iter());
        let replaced = replaced_clusters(had.into_iter().flatten(), &snapshot);
        let mut responses = Vec::new();
        let mut delete_clusters = false;
        for kind in ResourceType::ALL {
            let Some(subscription) = self.types.get_mut(&kind) else { continue };
            let now = snapshot.of(kind);
            let mut names = subscription.changed(now);
            let gone = subscription.gone(now);
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
            if !kind.whole() {
                // Nothing is sent of what is gone: the proxy asks no more once nothing refers to it.
                subscription.sent.retain(|name, _| !gone.contains(name));
            }
            if kind == ResourceType::Cluster && !gone.is_empty() {
                // Routes may still refer to them: they go when the routes have gone.
                delete_clusters = true;
                if !names.is_empty() {
                    let old = before.of(kind);
                    let keep = gone
                        .iter()
                        .filter_map(|name| old.get(name))
                        .map(|r| r.body.as_ref().clone())
                        .collect();
                    responses.push(self.respond(kind, names, keep));
                }
            } else if !names.is_empty() || kind.whole() && !gone.is_empty() {
                responses.push(self.respond(kind, names, Vec::new()));
            }
        }
        if delete_clusters {
            responses.push(self.respond(ResourceType::Cluster, BTreeSet::new(), Vec::new()));
        }
        responses
    }

    fn settled(&self) -> bool {
        let judged = |subscription: &Subscription| subscription.last.as_ref().is_none_or(|last| last.judged);
        !self.rejected && self.types.values().all(judged)
    }

    fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }
}

#[cfg(test)]
mod tests;
