//! What was said, what was answered, and what to say next. No I/O: time and the federation's view come in as values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use federation_api::federation as wire;
use federation_model::ascending::Ascending;
use federation_model::{Export, Generation, Revision, ServiceId, UnixMillis};
use tokio::sync::watch;
use wire::publish_request::Message as Say;
use wire::publish_response::Message as Answer;
use wire::subject::Subject;

use super::generations::Generations;
use super::offers::Offers;
use super::queue::{Key, Queue};
use super::status::{ItemState, PublishStatus};
use super::{Desired, ItemState as State};

/// One export, or the withdrawal of one.
#[derive(Debug)]
struct Entry {
    /// Absent: to be withdrawn.
    wanted: Option<Arc<Export>>,
    /// Absent: changed since it was last said, and to be counted when it is said.
    generation: Option<Generation>,
}

/// A registration that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RegistrationRefused {
    pub(super) reason: String,
    pub(super) message: String,
}

#[derive(Debug)]
pub(super) struct Ledger {
    desired: Arc<Desired>,
    version: String,
    generations: Generations,
    entries: BTreeMap<ServiceId, Entry>,
    queue: Queue,
    /// Absent until this stream's first hello is accepted.
    greeted: Option<Offers>,
    refused: BTreeSet<Key>,
    /// Messages not yet answered, by kind where answers carry no generation.
    unanswered: usize,
    hellos: usize,
    bundles: usize,
    status: watch::Sender<PublishStatus>,
}

impl Ledger {
    pub(super) fn new(desired: Arc<Desired>, version: String, status: watch::Sender<PublishStatus>) -> Self {
        let new_entry = |export: &Arc<Export>| Entry { wanted: Some(Arc::clone(export)), generation: None };
        let entries = desired.exports.iter().map(|(id, export)| (id.clone(), new_entry(export))).collect();
        status.send_modify(|status| {
            status.bundle = desired.bundle.as_ref().map(|_| State::Pending);
            status.exports = desired.exports.keys().map(|id| (id.clone(), State::Pending)).collect();
        });
        Self {
            desired,
            version,
            generations: Generations::default(),
            entries,
            queue: Queue::default(),
            greeted: None,
            refused: BTreeSet::new(),
            unanswered: 0,
            hellos: 0,
            bundles: 0,
            status,
        }
    }

    /// A stream begins with the hello. What follows depends on what the server understands: see [`Self::greeted`].
    pub(super) fn begin(&mut self) {
        (self.unanswered, self.hellos, self.bundles) = (0, 0, 0);
        self.refused.clear();
        self.queue.clear();
        self.greeted = None;
        self.queue.push(Key::Hello);
        // The sync point withdraws what is not said.
        let gone: Vec<_> =
            self.entries.iter().filter(|(_, e)| e.wanted.is_none()).map(|(id, _)| id.clone()).collect();
        for id in &gone {
            self.entries.remove(id);
        }
        self.status.send_modify(|status| {
            for id in &gone {
                status.exports.remove(id);
            }
        });
    }

    /// The first hello is accepted. A server that compares hashes is offered everything, and put what it asks for; another
    /// is told everything again, under the generations that it has. Then comes the sync point. The bundle goes before any
    /// export, so that nobody sees an export before the authorities of its cluster.
    fn greeted(&mut self, compares: bool) {
        let wanted = self.entries.iter().filter(|(_, entry)| entry.wanted.is_some());
        let services: Vec<ServiceId> = wanted.map(|(id, _)| id.clone()).collect();
        if compares {
            let (offers, numbers) = Offers::of(services);
            self.greeted = Some(offers);
            for number in numbers {
                self.queue.push(Key::Offer(number));
            }
            return;
        }
        self.greeted = Some(Offers::default());
        if self.desired.bundle.is_some() {
            self.queue.push(Key::Bundle);
        }
        for id in services {
            self.queue.push(Key::Export(id));
        }
        self.queue.push(Key::SyncPoint);
    }

    /// Takes a new desired set: only what differs is queued.
    pub(super) fn desire(&mut self, new: Arc<Desired>) {
        let old = std::mem::replace(&mut self.desired, Arc::clone(&new));
        if old.registration != new.registration {
            self.queue.push(Key::Hello);
        }
        if old.bundle != new.bundle {
            let state = new.bundle.as_ref().map(|_| State::Pending);
            self.status.send_modify(|status| status.bundle = state);
            if new.bundle.is_some() {
                self.queue.push(Key::Bundle);
            }
        }
        let mut wanted = Ascending::new(&new.exports);
        for id in old.exports.keys().filter(|id| wanted.take(*id).is_none()) {
            self.want(id.clone(), None);
        }
        let mut before = Ascending::new(&old.exports);
        for (id, export) in &new.exports {
            if before.take(id).is_none_or(|old| !Arc::ptr_eq(old, export)) {
                self.want(id.clone(), Some(export));
            }
        }
    }

    fn want(&mut self, id: ServiceId, export: Option<&Arc<Export>>) {
        let same = match (self.entries.get(&id).map(|entry| &entry.wanted), export) {
            (Some(Some(old)), Some(new)) => Arc::ptr_eq(old, new) || old.same_content(new),
            (Some(None), None) | (None, None) => true,
            _ => false,
        };
        if same {
            return;
        }
        self.entries.insert(id.clone(), Entry { wanted: export.cloned(), generation: None });
        self.status.send_modify(|status| {
            status.exports.insert(id.clone(), State::Pending);
        });
        self.refused.remove(&Key::Export(id.clone()));
        self.queue.push(Key::Export(id));
    }

    /// Whether there is something to say.
    pub(super) fn has_more(&self) -> bool {
        !self.queue.is_empty()
    }

    /// How many messages wait for their answer.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// Whether anything was refused and not sent again.
    pub(super) fn has_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Queues what was refused once more.
    pub(super) fn retry_refused(&mut self) {
        for key in std::mem::take(&mut self.refused) {
            self.queue.push(key);
        }
    }

    /// The next message. `present` is the generation that the federation has of one of our exports, as far as known.
    pub(super) fn next(
        &mut self,
        now: UnixMillis,
        present: impl Fn(&ServiceId) -> Option<Generation>,
    ) -> Option<wire::PublishRequest> {
        let say = loop {
            match self.queue.pop()? {
                Key::Hello => {
                    self.hellos += 1;
                    let registration = wire::Registration::from(&self.desired.registration);
                    break Say::Hello(wire::Registration { version: self.version.clone(), ..registration });
                }
                Key::Bundle => {
                    // Gone again before its turn came.
                    let Some(bundle) = &self.desired.bundle else { continue };
                    self.bundles += 1;
                    break Say::Bundle(bundle.into());
                }
                Key::Offer(number) => {
                    let Some(offers) = &mut self.greeted else { continue };
                    let entries = &self.entries;
                    let wanted = |id: &ServiceId| entries.get(id).and_then(|entry| entry.wanted.clone());
                    break Say::Offer(offers.say(number, self.desired.bundle.as_ref(), wanted));
                }
                Key::SyncPoint => break Say::SyncPoint(wire::SyncPoint {}),
                Key::Export(id) => {
                    let Some(entry) = self.entries.get_mut(&id) else { continue };
                    let generation = match entry.generation {
                        Some(generation) => generation,
                        None => *entry.generation.insert(self.generations.next(now, present(&id))),
                    };
                    break match &entry.wanted {
                        Some(export) => {
                            Say::Put(wire::Export { generation: generation.0, ..export.as_ref().into() })
                        }
                        None => Say::Remove(wire::RemoveExport {
                            service: Some((&id).into()),
                            generation: generation.0,
                        }),
                    };
                }
            }
        };
        self.unanswered += 1;
        Some(wire::PublishRequest { message: Some(say) })
    }

    /// Takes an answer. Answers to what has changed since are dropped: another one will come.
    pub(super) fn answer(&mut self, response: wire::PublishResponse) -> Result<(), RegistrationRefused> {
        self.unanswered = self.unanswered.saturating_sub(1);
        let (subject, state) = match response.message {
            Some(Answer::Compared(compared)) => {
                self.compared(compared);
                return Ok(());
            }
            Some(Answer::Committed(c)) => {
                if self.greeted.is_none() && is_hello(c.subject.as_ref()) {
                    self.greeted(c.features.contains(&i32::from(wire::Feature::Offer)));
                }
                let (generation, revision) = (Generation(c.generation), Revision(c.revision));
                (c.subject, ItemState::Committed { generation, revision })
            }
            Some(Answer::Refused(r)) => {
                let (generation, reason, message) = (Generation(r.generation), r.reason, r.message);
                (r.subject, ItemState::Refused { generation, reason, message })
            }
            // An answer of a later version, about something that this one did not say.
            None => return Ok(()),
        };
        match subject.and_then(|s| s.subject) {
            Some(Subject::Hello(_)) => return self.hello_answered(state),
            Some(Subject::Bundle(_)) => self.bundle_answered(state),
            Some(Subject::SyncPoint(_)) => self.sync_answered(&state),
            Some(Subject::Export(service)) => {
                if let Ok(id) = ServiceId::try_from(service) {
                    self.export_answered(id, state);
                }
            }
            None => {}
        }
        Ok(())
    }

    /// What the federation has need not be put. What changed since it was offered is queued anyway.
    fn compared(&mut self, compared: wire::Compared) {
        let Some(offered) = self.greeted.as_mut().and_then(Offers::answered) else { return };
        let revision = Revision(compared.revision);
        if offered.bundle.is_some() && offered.bundle == self.desired.bundle {
            if compared.bundle_same {
                let state = State::Committed { generation: Generation(0), revision };
                self.status.send_modify(|status| status.bundle = Some(state));
            } else {
                self.queue.push(Key::Bundle);
            }
        }
        // Answers beyond the offer mean nothing; what has no answer is put.
        let answers = compared.exports.into_iter().map(Some).chain(std::iter::repeat(None));
        let mut same = Vec::new();
        for ((id, export), known) in offered.exports.into_iter().zip(answers) {
            let present = known.and_then(|known| known.generation).map(Generation);
            if let Some(present) = present {
                self.generations.seen(present);
            }
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            if !entry.wanted.as_ref().is_some_and(|wanted| Arc::ptr_eq(wanted, &export)) {
                continue;
            }
            match present.filter(|_| known.is_some_and(|known| known.same)) {
                Some(generation) => {
                    entry.generation = Some(generation);
                    self.refused.remove(&Key::Export(id.clone()));
                    same.push((id, State::Committed { generation, revision }));
                }
                None => {
                    entry.generation =
                        entry.generation.filter(|own| present.is_none_or(|there| *own > there));
                    self.queue.push(Key::Export(id));
                }
            }
        }
        self.status.send_modify(|status| status.exports.extend(same));
        if self.greeted.as_ref().is_some_and(Offers::is_done) {
            self.queue.push(Key::SyncPoint);
        }
    }

    fn hello_answered(&mut self, state: ItemState) -> Result<(), RegistrationRefused> {
        self.hellos = self.hellos.saturating_sub(1);
        let refused = match &state {
            State::Refused { reason, message, .. } => {
                Err(RegistrationRefused { reason: reason.clone(), message: message.clone() })
            }
            _ => Ok(()),
        };
        if self.hellos == 0 {
            self.status.send_modify(|status| status.registration = state);
        }
        refused
    }

    fn bundle_answered(&mut self, state: ItemState) {
        self.bundles = self.bundles.saturating_sub(1);
        if self.bundles > 0 || self.desired.bundle.is_none() {
            return;
        }
        if matches!(state, State::Refused { .. }) {
            self.refused.insert(Key::Bundle);
        }
        self.status.send_modify(|status| status.bundle = Some(state));
    }

    fn sync_answered(&mut self, state: &ItemState) {
        match state {
            State::Committed { revision, .. } => {
                let revision = *revision;
                self.status.send_modify(|status| status.synced = Some(revision));
            }
            State::Refused { .. } => {
                self.refused.insert(Key::SyncPoint);
            }
            State::Pending => {}
        }
    }

    fn export_answered(&mut self, id: ServiceId, state: ItemState) {
        let (State::Committed { generation, .. } | State::Refused { generation, .. }) = &state else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.generation != Some(*generation) {
            return;
        }
        match &state {
            State::Committed { .. } if entry.wanted.is_none() => {
                self.entries.remove(&id);
                self.status.send_modify(|status| {
                    status.exports.remove(&id);
                });
                return;
            }
            State::Refused { reason, .. } => {
                if reason == "stale_generation" {
                    entry.generation = None;
                }
                self.refused.insert(Key::Export(id.clone()));
            }
            _ => {}
        }
        self.status.send_modify(|status| {
            status.exports.insert(id, state);
        });
    }
}

fn is_hello(subject: Option<&wire::Subject>) -> bool {
    matches!(subject.and_then(|s| s.subject.as_ref()), Some(Subject::Hello(_)))
}

#[cfg(test)]
mod tests;
