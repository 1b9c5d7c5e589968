//! The state machine's step. Total and deterministic: the same entries give the same state on every server.

use super::State;
use super::recording::Recording;
use crate::bundle::{Bundle, MAX_AUTHORITIES, MAX_AUTHORITY_BYTES};
use crate::cluster::{Cluster, LEASE_MILLIS, Lease, MAX_GATEWAYS};
use crate::command::{Batch, Command, Registration};
use crate::export::{Export, ExportKind};
use crate::ids::{ClusterId, Generation, InstanceId, Revision, ServiceId, UnixMillis};
use crate::item::ItemKey;
use crate::rejection::Rejection;
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
}

impl State {
    /// Applies the entry at `revision`. A rejected command changes nothing; the others of its batch still count.
    ///
    /// Time never goes back: an entry that says it is older than one before it happens at that one's time. A leader's
    /// entries may overtake each other, and a new leader knows the time a little less well than the last.
    pub fn apply(&mut self, revision: Revision, batch: &Batch) -> Applied {
        self.now = self.now.max(batch.at);
        let at = self.now;
        self.revision = revision;
        let (mut outcomes, mut changed) = (Vec::new(), Vec::new());
        for command in &batch.commands {
            let (recording, before) = (Recording::of(self, command), changed.len());
            let outcome = self.step(at, command, &mut changed);
            if outcome.is_ok() {
                self.record(at, recording, changed.get(before..).unwrap_or_default());
            }
            outcomes.push(outcome);
        }
        Applied { outcomes, changed }
    }

    /// Moves the revision over an entry that holds no batch (Raft's own entries).
    pub fn skip_to(&mut self, revision: Revision) {
        self.revision = revision;
    }

    fn step(&mut self, at: UnixMillis, command: &Command, changed: &mut Vec<ItemKey>) -> Outcome {
        match command {
            Command::Configure { vips } => {
                if self.next_vip == 0 {
                    self.vip_ranges = *vips;
                }
                Ok(())
            }
            Command::RegisterCluster(registration) => self.register(at, registration, changed),
            Command::RenewLease { cluster, instance } => self.renew(at, cluster, instance, changed),
            Command::ExpireLeases => {
                self.expire(at, changed);
                Ok(())
            }
            Command::PutExport { instance, export } => self.put_export(at, instance, export, changed),
            Command::RemoveExport { cluster, instance, service, generation } => {
                self.held_by(cluster, instance)?;
                self.remove_export(cluster, service, *generation, changed)
            }
            Command::PutBundle { cluster, instance, bundle } => {
                let owner = self.held_by(cluster, instance)?;
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
        let previous = self.clusters.insert(new.cluster.clone(), cluster);
        if let Some(old) = previous.map(|c| c.trust_domain).filter(|d| d != &new.trust_domain) {
            self.bundles.remove(&old);
            changed.push(ItemKey::Bundle(old));
        }
        changed.push(ItemKey::Cluster(new.cluster.clone()));
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
        instance: &InstanceId,
        new: &Export,
        changed: &mut Vec<ItemKey>,
    ) -> Outcome {
        self.held_by(&new.cluster, instance)?;
        new.check_bounds()?;
        let present = self.exports.get(&new.service).and_then(|exporters| exporters.get(&new.cluster));
        if let Some(present) = present.filter(|p| p.generation > new.generation) {
            return Err(stale(&new.service, new.generation, present.generation));
        }
        if new.kind == ExportKind::ClusterSetIp && !self.vips.contains_key(&new.service) {
            let vip = self.vip_ranges.nth(self.next_vip).ok_or(Rejection::VipsExhausted)?;
            self.next_vip += 1;
            self.vips.insert(new.service.clone(), vip);
        }
        let first_seen = present.map_or(at, |p| p.first_seen);
        let unchanged = present.is_some_and(|p| p.same_content(new));
        let exporters = self.exports.entry(new.service.clone()).or_default();
        exporters.insert(new.cluster.clone(), Export { first_seen, ..new.clone() });
        if !unchanged {
            // The VIP goes first: an importer should not see a service before its address. It is named at every
            // change because an export may have come into somebody's scope, and its VIP with it.
            changed.push(ItemKey::Vip(new.service.clone()));
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
    ) -> Outcome {
        let Some(exporters) = self.exports.get_mut(service) else { return Ok(()) };
        let Some(present) = exporters.get(cluster) else { return Ok(()) };
        if present.generation > generation {
            return Err(stale(service, generation, present.generation));
        }
        exporters.remove(cluster);
        if exporters.is_empty() {
            self.exports.remove(service);
        }
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
