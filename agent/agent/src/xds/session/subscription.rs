//! What a proxy asked for of one type and what it has of it: the part that both protocols share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::xds::resource::{Resource, Resources};

/// One type on one stream.
#[derive(Debug, Default)]
pub(super) struct Subscription {
    started: bool,
    /// Whether all resources are wanted, besides those that are named.
    pub(super) wildcard: bool,
    /// Those that were asked for by name.
    pub(super) names: BTreeSet<String>,
    /// What the proxy has, or will have once it reads what was sent.
    held: BTreeMap<String, Arc<str>>,
    /// Names of rejected responses: sent again once something of the type changes.
    rejected: BTreeSet<String>,
}

impl Subscription {
    /// Whether this is the first request of the type.
    pub(super) fn start(&mut self) -> bool {
        !std::mem::replace(&mut self.started, true)
    }

    /// Whether the proxy wants the resource of this name.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.wildcard || self.names.contains(name)
    }

    /// Wanted resources that the proxy does not have in their present version.
    pub(super) fn changed(&self, now: &Resources) -> BTreeSet<String> {
        now.iter()
            .filter(|(name, resource)| self.wants(name) && !self.has(name, resource))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Resources that the proxy has and that are gone.
    pub(super) fn gone(&self, now: &Resources) -> BTreeSet<String> {
        self.held.keys().filter(|name| now.get(name).is_none()).cloned().collect()
    }

    /// Resources that the proxy has in another version.
    pub(super) fn replaced(&self, now: &Resources) -> BTreeSet<String> {
        let differs = |(name, version): &(&String, &Arc<str>)| {
            now.get(name).is_some_and(|resource| resource.version != **version)
        };
        self.held.iter().filter(differs).map(|(name, _)| name.clone()).collect()
    }

    /// What is to be sent because `before` became `now`: what changed, those of `again` that are there, and what was
    /// rejected, if anything of the type changed.
    pub(super) fn due(
        &mut self,
        before: &Resources,
        now: &Resources,
        again: &BTreeSet<String>,
    ) -> BTreeSet<String> {
        let mut due = BTreeSet::new();
        let mut again: BTreeSet<&String> = again.iter().collect();
        let rejected;
        // Whatever else is wanted was sent when it was asked for.
        if now.version() != before.version() {
            due = self.changed(now);
            rejected = std::mem::take(&mut self.rejected);
            again.extend(&rejected);
        }
        due.extend(again.into_iter().filter(|name| self.wants(name) && now.get(name).is_some()).cloned());
        due
    }

    /// Whether the proxy has this very resource.
    pub(super) fn has(&self, name: &str, resource: &Resource) -> bool {
        self.held.get(name) == Some(&resource.version)
    }

    /// What a proxy says it has from an earlier stream.
    pub(super) fn claims(&mut self, held: impl IntoIterator<Item = (String, String)>) {
        self.held = held.into_iter().map(|(name, version)| (name, version.into())).collect();
    }

    /// A resource is sent.
    pub(super) fn send(&mut self, name: &str, resource: &Resource) {
        self.held.insert(name.to_owned(), Arc::clone(&resource.version));
    }

    /// The proxy is about to lose these.
    pub(super) fn forget<'a>(&mut self, names: impl IntoIterator<Item = &'a String>) {
        for name in names {
            self.held.remove(name);
        }
    }

    /// The proxy is about to lose all.
    pub(super) fn forget_all(&mut self) {
        self.held.clear();
    }

    /// What is not wanted any more counts as not held: it is sent whole if it is wanted again.
    pub(super) fn forget_unwanted(&mut self) {
        let (wildcard, names) = (self.wildcard, &self.names);
        self.held.retain(|name, _| wildcard || names.contains(name));
    }

    /// What the proxy said of a response with these resources.
    pub(super) fn judged(&mut self, names: Vec<String>, accepted: bool) {
        if accepted {
            for name in &names {
                self.rejected.remove(name);
            }
        } else {
            self.rejected.extend(names);
        }
    }
}
