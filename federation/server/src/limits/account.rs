//! What one cluster has in the catalogue, counted as its publish stream changes it.
//!
//! The stream of a session is the only one that changes the cluster's exports, so that an account that is opened with the
//! session, and follows what is committed, is exact: nothing is counted anew for a message.

use std::collections::BTreeMap;

use federation_model::{Export, ServiceId};

use super::{Exceeded, Limits, Quota};

/// What one export takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weight {
    /// Endpoints listed.
    pub endpoints: usize,
    /// Bytes.
    pub bytes: usize,
}

impl Weight {
    /// Of `export`.
    #[must_use]
    pub fn of(export: &Export) -> Self {
        Self { endpoints: export.endpoints.len(), bytes: export.bytes() }
    }
}

/// The exports of one cluster, and what they take together.
#[derive(Debug, Clone)]
pub struct Account {
    limits: Limits,
    exports: BTreeMap<ServiceId, Weight>,
    total: Weight,
    /// As they were before the changes that are not settled.
    before: BTreeMap<ServiceId, Option<Weight>>,
}

/// A change that was proposed.
#[derive(Debug, Clone)]
pub enum Change {
    /// An export of this weight is put.
    Put(ServiceId, Weight),
    /// An export is withdrawn.
    Remove(ServiceId),
}

impl Account {
    /// Of a cluster that has `exports`.
    #[must_use]
    pub fn open(limits: Limits, exports: impl IntoIterator<Item = (ServiceId, Weight)>) -> Self {
        let mut this =
            Self { limits, exports: BTreeMap::new(), total: Weight::default(), before: BTreeMap::new() };
        for (service, weight) in exports {
            this.set(&service, Some(weight));
        }
        this
    }

    /// Whether the cluster has an export of `service`.
    #[must_use]
    pub fn has(&self, service: &ServiceId) -> bool {
        self.exports.contains_key(service)
    }

    /// The services exported.
    pub fn services(&self) -> impl Iterator<Item = &ServiceId> {
        self.exports.keys()
    }

    /// Counts `change` as made, until it is settled.
    ///
    /// # Errors
    /// When the cluster would have more than it may have, and more than it has. What makes it less is always let through,
    /// also where a limit was lowered.
    pub fn propose(&mut self, change: &Change) -> Result<(), Exceeded> {
        let (service, new) = match change {
            Change::Put(service, weight) => (service, Some(*weight)),
            Change::Remove(service) => (service, None),
        };
        let old = self.exports.get(service).copied();
        if let Some(new) = new {
            self.check(old, new)?;
        }
        self.before.entry(service.clone()).or_insert(old);
        self.set(service, new);
        Ok(())
    }

    /// The changes proposed since the last time were committed or not: those that were, in order.
    pub fn settle(&mut self, made: impl IntoIterator<Item = Change>) {
        for (service, before) in std::mem::take(&mut self.before) {
            self.set(&service, before);
        }
        for change in made {
            match change {
                Change::Put(service, weight) => self.set(&service, Some(weight)),
                Change::Remove(service) => self.set(&service, None),
            }
        }
    }

    fn check(&self, old: Option<Weight>, new: Weight) -> Result<(), Exceeded> {
        let limit = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        let (had, count) = (usize::from(old.is_some()), self.exports.len());
        let old = old.unwrap_or_default();
        let kinds = [
            (Quota::Exports, limit(self.limits.exports.into()), count, had, 1),
            (
                Quota::Endpoints,
                limit(self.limits.endpoints.into()),
                self.total.endpoints,
                old.endpoints,
                new.endpoints,
            ),
            (Quota::Bytes, limit(self.limits.bytes), self.total.bytes, old.bytes, new.bytes),
        ];
        for (quota, limit, present, old, new) in kinds {
            if new > old && present.saturating_sub(old).saturating_add(new) > limit {
                return Err(Exceeded::of(quota, limit, present));
            }
        }
        Ok(())
    }

    fn set(&mut self, service: &ServiceId, weight: Option<Weight>) {
        let old = match weight {
            Some(weight) => self.exports.insert(service.clone(), weight),
            None => self.exports.remove(service),
        };
        let (old, new) = (old.unwrap_or_default(), weight.unwrap_or_default());
        self.total = Weight {
            endpoints: self.total.endpoints.saturating_sub(old.endpoints).saturating_add(new.endpoints),
            bytes: self.total.bytes.saturating_sub(old.bytes).saturating_add(new.bytes),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str) -> ServiceId {
        format!("demo/{name}").parse().unwrap()
    }

    fn put(name: &str, endpoints: usize, bytes: usize) -> Change {
        Change::Put(service(name), Weight { endpoints, bytes })
    }

    fn account(exports: u32, endpoints: u32, bytes: u64) -> Account {
        Account::open(Limits { exports, endpoints, bytes, ..Limits::default() }, [])
    }

    fn exceeded(quota: Quota, limit: u64, present: u64) -> Result<(), Exceeded> {
        Err(Exceeded { quota, limit, present })
    }

    #[test]
    fn each_limit_refuses_what_passes_it_and_nothing_else() {
        let mut account = account(2, 10, 100);
        assert_eq!(account.propose(&put("a", 4, 40)), Ok(()));
        assert_eq!(account.propose(&put("b", 7, 10)), exceeded(Quota::Endpoints, 10, 4));
        assert_eq!(account.propose(&put("b", 6, 61)), exceeded(Quota::Bytes, 100, 40));
        assert_eq!(account.propose(&put("b", 6, 60)), Ok(()));
        assert_eq!(account.propose(&put("c", 0, 0)), exceeded(Quota::Exports, 2, 2));
        assert_eq!(account.propose(&put("a", 5, 40)), exceeded(Quota::Endpoints, 10, 10));
        assert_eq!(account.propose(&Change::Remove(service("b"))), Ok(()));
        assert_eq!(account.propose(&put("c", 6, 60)), Ok(()));
        assert!(account.has(&service("c")) && !account.has(&service("b")));
    }

    #[test]
    fn what_was_not_committed_is_given_back() {
        let mut account = account(1, 10, 100);
        account.propose(&put("a", 1, 1)).unwrap();
        account.settle([]);
        assert!(!account.has(&service("a")));
        account.propose(&put("b", 1, 1)).unwrap();
        account.propose(&put("b", 9, 9)).unwrap();
        account.settle([put("b", 1, 1)]);
        assert_eq!(account.total, Weight { endpoints: 1, bytes: 1 });
        account.propose(&Change::Remove(service("b"))).unwrap();
        account.settle([]);
        assert_eq!(account.propose(&put("c", 0, 0)), exceeded(Quota::Exports, 1, 1));
    }

    #[test]
    fn a_limit_that_was_lowered_lets_through_what_makes_it_less() {
        let limits = Limits { exports: 1, endpoints: 5, bytes: 5, ..Limits::default() };
        let weight = Weight { endpoints: 6, bytes: 6 };
        let mut account = Account::open(limits, ["a", "b"].map(|name| (service(name), weight)));
        assert_eq!(account.propose(&put("a", 6, 5)), Ok(()));
        assert_eq!(account.propose(&put("a", 7, 5)), exceeded(Quota::Endpoints, 5, 12));
    }
}
