//! State of the world: requests name all that is wanted; for two types a response holds all that exists.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};
use envoy_types::pb::google::protobuf::Any;

use super::subscription::Subscription;
use super::{MAX_NAMES, Session, Step, Verdict};
use crate::xds::resource::{ResourceType, Snapshot};

/// A stream of `StreamAggregatedResources`.
#[derive(Debug)]
pub struct Sotw {
    snapshot: Arc<Snapshot>,
    types: BTreeMap<ResourceType, Asked>,
    nonce: u64,
    rejected: bool,
}

#[derive(Debug, Default)]
struct Asked {
    subscription: Subscription,
    /// Whether names, or `*`, were ever asked for: from then on an empty list means nothing, no longer everything.
    explicit: bool,
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

impl Sotw {
    /// A response of `kind` with `names`, or with all that is wanted if the type is one whose absent resources are
    /// deleted. `keep` are resources that are gone but not to be deleted yet.
    fn respond(&mut self, kind: ResourceType, names: BTreeSet<String>, keep: Vec<Any>) -> DiscoveryResponse {
        self.nonce += 1;
        let now = self.snapshot.of(kind);
        let Asked { subscription, last, .. } = self.types.entry(kind).or_default();
        let sending = |name: &String| names.contains(name) || kind.whole() && subscription.wants(name);
        let chosen: Vec<_> = now.iter().filter(|(name, _)| sending(name)).collect();
        // The version of a response that keeps something is not that of the snapshot.
        let version = format!("{}{}", now.version(), if keep.is_empty() { "" } else { "+" });
        let mut resources: Vec<Any> = Vec::with_capacity(chosen.len() + keep.len());
        if kind.whole() && keep.is_empty() {
            subscription.forget_all();
        }
        let names = chosen.iter().map(|(name, _)| (*name).clone()).collect();
        for (name, resource) in chosen {
            subscription.send(name, resource);
            resources.push(resource.body.as_ref().clone());
        }
        resources.extend(keep);
        *last = Some(Last { nonce: self.nonce, version: version.clone(), names, judged: false });
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
        let room = MAX_NAMES.saturating_sub(others.map(|(_, asked)| asked.subscription.names.len()).sum());
        let now = self.snapshot.of(kind);
        let Asked { subscription, explicit, last } = self.types.entry(kind).or_default();
        let mut verdict = None;
        if let Some(last) = last.as_mut().filter(|_| !request.response_nonce.is_empty()) {
            if request.response_nonce != last.nonce.to_string() {
                // Written before the last response was read; what it wants is said again with the next.
                return Step::nothing();
            }
            if !std::mem::replace(&mut last.judged, true) {
                let accepted = request.error_detail.is_none();
                subscription.judged(std::mem::take(&mut last.names), accepted);
                self.rejected |= !accepted;
                verdict = Some(Verdict::of(kind, last.version.clone(), request.error_detail.as_ref()));
            }
        }
        let first = subscription.start();
        let had_all = subscription.wildcard;
        let mut names: BTreeSet<String> = request.resource_names.into_iter().take(room).collect();
        let star = names.remove("*");
        *explicit |= star || !names.is_empty();
        subscription.wildcard = star || kind.whole() && !*explicit;
        let before = std::mem::replace(&mut subscription.names, names);
        subscription.forget_unwanted();
        let added = subscription.names.iter().any(|name| !before.contains(name) && !had_all);
        let changed = subscription.changed(now);
        let must = subscription.wildcard && (first || !had_all) || added && kind.whole();
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
        let replaced = self.types.get(&ResourceType::Cluster);
        let replaced =
            replaced.map(|clusters| clusters.subscription.replaced(snapshot.of(ResourceType::Cluster)));
        let mut responses = Vec::new();
        let mut delete_clusters = false;
        for kind in ResourceType::ALL {
            let Some(Asked { subscription, .. }) = self.types.get_mut(&kind) else { continue };
            let now = snapshot.of(kind);
            let again = replaced.as_ref().filter(|_| kind == ResourceType::Endpoint);
            let names = subscription.due(before.of(kind), now, again.unwrap_or(&BTreeSet::new()));
            let gone = subscription.gone(now);
            if !kind.whole() {
                // Nothing is sent of what is gone: the proxy asks no more once nothing refers to it.
                subscription.forget(&gone);
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
        let judged = |asked: &Asked| asked.last.as_ref().is_none_or(|last| last.judged);
        !self.rejected && self.types.values().all(judged)
    }

    fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }
}

#[cfg(test)]
mod tests;
