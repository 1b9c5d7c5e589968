//! The state machine's step. Total and deterministic: the same entries give the same state on every server.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::State;
use super::recording::Recording;
use crate::bundle::{Bundle, MAX_AUTHORITIES, MAX_AUTHORITY_BYTES};
use crate::cluster::{Cluster, LEASE_MILLIS, Lease, MAX_GATEWAYS};
use crate::command::{Batch, Command, Registration};
use crate::export::{Export, ExportKind};
use crate::ids::{
    ClusterId, Generation, Incarnation, InstanceId, Revision, ServiceId, SessionNumber, StreamId, UnixMillis,
};
use crate::item::ItemKey;
use crate::rejection::Rejection;
use crate::session::Session;
use crate::token::{JoinToken, KeyHash, TokenHash};

/// The answer to one command.
pub type Outcome = Result<(), Rejection>;

/// What one entry did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// One answer per command, in order.
    pub outcomes: Vec<Outcome>,
    /// The pieces of the catalogue that changed, in the order of change.
    pub changed: Vec<ItemKey>,
    /// Exports that were taken away, or hidden from somebody, as they were before.
    pub before: Vec<Arc<Export>>,
}

impl State {
    /// Applies the entry at `revision`. A rejected command changes nothing; the others of its batch still count.
    ///
    /// Time never goes back: an entry that says it is older than one before it happens at that one's time. A leader's
    /// entries may overtake each other, and a new leader knows the time a little less well than the last.
    pub fn apply(&mut self, revision: Revision, batch: &Batch) -> Applied {
        let pristine = self.is_pristine();
        self.now = self.now.max(batch.at);
        let at = self.now;
        // A state that was written before there were incarnations has none, and must not get one here: its replicas are
        // upgraded one after the other, and would not agree on it.
        if pristine {
            self.incarnation = Incarnation(at.0);
        }
        self.revision = revision;
        let (mut outcomes, mut changed, mut before) = (Vec::new(), Vec::new(), Vec::new());
        for command in &batch.commands {
            let (recording, from) = (Recording::of(self, command), changed.len());
            let outcome = self.step(at, command, &mut changed, &mut before);
            if outcome.is_ok() {
                self.record(at, recording, changed.get(from..).unwrap_or_default());
            }
            outcomes.push(outcome);
        }
        Applied { outcomes, changed, before }
    }

    /// Moves the revision over an entry that holds no batch (Raft's own entries).
    pub fn skip_to(&mut self, revision: Revision) {
        self.revision = revision;
    }

    fn step(
        &mut self,
        at: UnixMillis,
        command: &Command,
        changed: &mut Vec<ItemKey>,
        before: &mut Vec<Arc<Export>>,
    ) -> Outcome {
        match command {
            Command::Configure { vips } => {
                if self.next_vip == 0 {
                    self.vip_ranges = *vips;
                }
                Ok(())
            }
            Command::RegisterCluster(registration) => {
                self.in_session(&registration.cluster, SessionNumber(0))?;
                self.register(at, registration, changed)
            }
            Command::OpenSession { session, stream, hello, registration } => {
                let wanted = Opening { session: *session, stream: *stream, hello: *hello };
                self.open_session(at, wanted, registration, changed)
            }
            Command::RenewLease { cluster, instance } => self.renew(at, cluster, instance, changed),
            Command::ExpireLeases => {
                self.expire(at, changed);
                Ok(())
            }
            Command::PutExport { instance, session, export } => {
                self.held_by(&export.cluster, instance)?;
                self.in_session(&export.cluster, *session)?;
                self.put_export(at, export, changed, before)
            }
            Command::RemoveExport { cluster, instance, session, service, generation } => {
                self.held_by(cluster, instance)?;
                self.in_session(cluster, *session)?;
                self.remove_export(cluster, service, *generation, changed, before)
            }
            Command::PutBundle { cluster, instance, session, bundle } => {
                let owner = self.held_by(cluster, instance)?;
                self.in_session(cluster, *session)?;
                put_bundle_allowed(owner, bundle)?;
                self.put_bundle(bundle, changed)
            }
            Command::CreateToken { hash, cluster, expires, by: _ } => {
                // Tokens that can no longer be used are dropped here, so that their number stays bounded.
                self.tokens.retain(|_, token| token.expires > at);
                let token =
                    JoinToken { hash: *hash, cluster: cluster.clone(), expires: *expires, used_by: None };
                // A proposal that is tried again must not make a token that was used in the meantime new.
                self.tokens.entry(*hash).or_insert(token);
                Ok(())
            }
            Command::RedeemToken { hash, cluster, key } => self.redeem(at, hash, cluster, *key),
            Command::Operated { .. } => Ok(()),
        }
    }

    fn register(&mut self, at: UnixMillis, new: &Registration, changed: &mut Vec<ItemKey>) -> Outcome {
        if new.gateways.len() > MAX_GATEWAYS {
            let (given, max) = (new.gateways.len() as u64, MAX_GATEWAYS as u64);
            return Err(Rejection::TooMany { what: "gateways".to_owned(), given, max });
        }
        let other =
            self.clusters.values().find(|c| c.trust_domain == new.trust_domain && c.id != new.cluster);
        if let Some(owner) = other {
            let (trust_domain, owner) = (new.trust_domain.clone(), owner.id.clone());
            return Err(Rejection::TrustDomainTaken { trust_domain, owner });
        }
        if self.clusters.contains_key(&new.cluster) {
            self.held_by(&new.cluster, &new.instance)?;
        }
        let until = self.lease_until(at, &new.cluster);
        let cluster = Cluster {
            id: new.cluster.clone(),
            network: new.network.clone(),
            region: new.region.clone(),
            zone: new.zone.clone(),
            trust_domain: new.trust_domain.clone(),
            gateways: new.gateways.clone(),
            lease: Lease::Held { instance: new.instance.clone(), until },
        };
        // A cluster that changed its trust domain takes its old bundle with it.
        let news = self.clusters.get(&new.cluster).is_none_or(|present| !present.looks_like(&cluster));
        let previous = self.clusters.insert(new.cluster.clone(), cluster);
        if let Some(old) = previous.map(|c| c.trust_domain).filter(|d| d != &new.trust_domain) {
            self.bundles.remove(&old);
            changed.push(ItemKey::Bundle(old));
        }
        if news {
            changed.push(ItemKey::Cluster(new.cluster.clone()));
        }
        Ok(())
    }

    fn open_session(
        &mut self,
        at: UnixMillis,
        wanted: Opening,
        registration: &Registration,
        changed: &mut Vec<ItemKey>,
    ) -> Outcome {
        let Opening { session: number, stream, hello } = wanted;
        let Registration { cluster, instance, .. } = registration;
        let present = self.sessions.get(cluster);
        let again = present.filter(|present| present.number == number && present.stream == stream);
        if again.is_none() && number <= self.session_number(cluster) {
            return Err(Rejection::Fenced {
                cluster: cluster.clone(),
                present: self.session_number(cluster),
            });
        }
        if again.is_some_and(|present| present.hello > hello) {
            // A late repetition: the stream has said something else since.
            return Ok(());
        }
        // What was withdrawn in a session is forgotten with it: nothing else that was said in it can come any more.
        let withdrawn = again.map(|present| present.withdrawn.clone()).unwrap_or_default();
        self.register(at, registration, changed)?;
        let session = Session { number, stream, hello, instance: instance.clone(), withdrawn };
        self.sessions.insert(cluster.clone(), session);
        Ok(())
    }

    fn renew(
        &mut self,
        at: UnixMillis,
        cluster: &ClusterId,
        instance: &InstanceId,
        changed: &mut Vec<ItemKey>,
    ) -> Outcome {
        self.held_by(cluster, instance)?;
        // A renewal that comes late must not take the lease from whoever has opened a session since.
        if let Some(session) = self.sessions.get(cluster).filter(|session| &session.instance != instance) {
            return Err(Rejection::Fenced { cluster: cluster.clone(), present: session.number });
        }
        let until = self.lease_until(at, cluster);
        let Some(found) = self.clusters.get_mut(cluster) else {
            return Err(Rejection::UnknownCluster { cluster: cluster.clone() });
        };
        let came_back = !found.lease.is_held();
        found.lease = Lease::Held { instance: instance.clone(), until };
        // A renewal is not news to watchers; only life and death are.
        if came_back {
            changed.push(ItemKey::Cluster(cluster.clone()));
        }
        Ok(())
    }

    /// When a lease taken or renewed at `at` runs out. Never before it would have: a leader whose clock is behind its
    /// predecessor's must not expire the living.
    fn lease_until(&self, at: UnixMillis, cluster: &ClusterId) -> UnixMillis {
        let fresh = at.plus(LEASE_MILLIS);
        match self.clusters.get(cluster).map(|c| &c.lease) {
            Some(Lease::Held { until, .. }) => fresh.max(*until),
            Some(Lease::Expired { .. }) | None => fresh,
        }
    }

    fn expire(&mut self, at: UnixMillis, changed: &mut Vec<ItemKey>) {
        for cluster in self.clusters.values_mut() {
            if let Lease::Held { until, .. } = cluster.lease
                && until <= at
            {
                cluster.lease = Lease::Expired { at };
                changed.push(ItemKey::Cluster(cluster.id.clone()));
            }
        }
    }

    fn put_export(
        &mut self,
        at: UnixMillis,
        new: &Export,
        changed: &mut Vec<ItemKey>,
        before: &mut Vec<Arc<Export>>,
    ) -> Outcome {
        new.check_bounds()?;
        let present = self.export(&new.service, &new.cluster).cloned();
        let present = present.as_ref();
        if let Some(present) = present.filter(|p| p.generation > new.generation) {
            return Err(stale(&new.service, new.generation, present.generation));
        }
        let mut session = self.sessions.get_mut(&new.cluster);
        if present.is_none()
            && let Some(until) = session.as_ref().and_then(|s| s.withdrawn.until(&new.service))
            && until >= new.generation
        {
            return Err(stale(&new.service, new.generation, until));
        }
        let gets_vip = new.kind == ExportKind::ClusterSetIp && !self.vips.contains_key(&new.service);
        if gets_vip {
            let vip = self.vip_ranges.nth(self.next_vip).ok_or(Rejection::VipsExhausted)?;
            self.next_vip += 1;
            self.vips.insert(new.service.clone(), vip);
        }
        if let Some(session) = &mut session {
            session.withdrawn.forget(&new.service);
        }
        let first_seen = present.map_or(at, |p| p.first_seen);
        let unchanged = present.is_some_and(|p| p.same_content(new));
        let exporters = self.exports.get_or_insert_with(&new.service, BTreeMap::new);
        exporters.insert(new.cluster.clone(), Arc::new(Export { first_seen, ..new.clone() }));
        if !unchanged {
            // The VIP goes first: an importer should not see a service before its address. Who sees it changes with who
            // sees an export.
            if gets_vip || present.is_none_or(|present| present.scope != new.scope) {
                changed.push(ItemKey::Vip(new.service.clone()));
                before.extend(present.cloned());
            }
            changed.push(ItemKey::Export(new.service.clone(), new.cluster.clone()));
        }
        Ok(())
    }

    fn remove_export(
        &mut self,
        cluster: &ClusterId,
        service: &ServiceId,
        generation: Generation,
        changed: &mut Vec<ItemKey>,
        before: &mut Vec<Arc<Export>>,
    ) -> Outcome {
        let present = self.export(service, cluster).cloned();
        if let Some(present) = present.as_ref().filter(|present| present.generation > generation) {
            return Err(stale(service, generation, present.generation));
        }
        // Also where there is nothing: the put that this takes back may still come.
        if let Some(session) = self.sessions.get_mut(cluster) {
            session.withdrawn.note(service, generation);
        }
        let Some(present) = present else { return Ok(()) };
        if let Some(exporters) = self.exports.get_mut(service) {
            exporters.remove(cluster);
            if exporters.is_empty() {
                self.exports.remove(service);
            }
        }
        before.push(present);
        changed.push(ItemKey::Export(service.clone(), cluster.clone()));
        changed.push(ItemKey::Vip(service.clone()));
        Ok(())
    }

    fn put_bundle(&mut self, new: &Bundle, changed: &mut Vec<ItemKey>) -> Outcome {
        match self.bundles.get(&new.trust_domain) {
            Some(present) if present == new => return Ok(()),
            Some(present) if present.sequence >= new.sequence => {
                let (given, present) = (new.sequence, present.sequence);
                return Err(Rejection::StaleBundle {
                    trust_domain: new.trust_domain.clone(),
                    given,
                    present,
                });
            }
            _ => {}
        }
        self.bundles.insert(new.trust_domain.clone(), new.clone());
        changed.push(ItemKey::Bundle(new.trust_domain.clone()));
        Ok(())
    }

    fn redeem(&mut self, at: UnixMillis, hash: &TokenHash, cluster: &ClusterId, key: KeyHash) -> Outcome {
        let token = self.tokens.get_mut(hash).ok_or(Rejection::UnknownToken)?;
        if &token.cluster != cluster {
            return Err(Rejection::TokenForAnother { cluster: token.cluster.clone() });
        }
        if token.used_by.is_some_and(|used_by| used_by != key) {
            return Err(Rejection::TokenUsed);
        }
        if token.expires <= at {
            return Err(Rejection::TokenExpired { at: token.expires });
        }
        token.used_by = Some(key);
        Ok(())
    }

    /// Refuses what was not said in the present session of `cluster`.
    fn in_session(&self, cluster: &ClusterId, session: SessionNumber) -> Outcome {
        match self.session_number(cluster) {
            present if present == session => Ok(()),
            present => Err(Rejection::Fenced { cluster: cluster.clone(), present }),
        }
    }

    /// The cluster, if `instance` holds its lease or nobody does.
    fn held_by(&self, cluster: &ClusterId, instance: &InstanceId) -> Result<&Cluster, Rejection> {
        let found = self.clusters.get(cluster);
        let found = found.ok_or_else(|| Rejection::UnknownCluster { cluster: cluster.clone() })?;
        match &found.lease {
            Lease::Held { instance: holder, until } if holder != instance => {
                Err(Rejection::HeldByAnother { cluster: cluster.clone(), until: *until })
            }
            _ => Ok(found),
        }
    }
}

/// What a stream asks for when it opens its session, or speaks of its cluster again.
#[derive(Debug, Clone, Copy)]
struct Opening {
    session: SessionNumber,
    stream: StreamId,
    hello: u64,
}

fn put_bundle_allowed(owner: &Cluster, bundle: &Bundle) -> Outcome {
    if owner.trust_domain != bundle.trust_domain {
        let (cluster, trust_domain) = (owner.id.clone(), bundle.trust_domain.clone());
        return Err(Rejection::NotOwner { cluster, trust_domain });
    }
    let largest = bundle.authorities.iter().map(|a| a.0.len()).max().unwrap_or(0);
    let bounds = [
        ("authorities", bundle.authorities.len(), MAX_AUTHORITIES),
        ("bytes of an authority", largest, MAX_AUTHORITY_BYTES),
    ];
    match bounds.into_iter().find(|(_, given, max)| given > max) {
        None => Ok(()),
        Some((what, given, max)) => {
            Err(Rejection::TooMany { what: what.to_owned(), given: given as u64, max: max as u64 })
        }
    }
}

fn stale(service: &ServiceId, given: Generation, present: Generation) -> Rejection {
    Rejection::StaleGeneration { service: service.clone(), given, present }
}
