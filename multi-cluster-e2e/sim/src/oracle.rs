//! Knows everything: what every server applied, what was acknowledged to whom, and what every agent sees.
//!
//! It hears of each event at the moment at which it happens, and asks each file of `invariants/` whether that may be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use federation_model::state::Outcome;
use federation_model::{
    Batch, ClusterId, ExportScope, FederationView, Generation, Revision, ServiceId, State, Vip,
};
use federation_raft::seams::Witness;
use tokio::sync::watch;

use crate::invariants::{Violation, acknowledged, fencing, laws, one_log, revisions, scope, views, vips};
use crate::trace::Trace;

/// One entry of the log that all servers share.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Who applied it first.
    pub server: u64,
    /// None for Raft's own.
    pub batch: Option<Batch>,
    /// One per command.
    pub outcomes: Vec<Outcome>,
    /// What it led to.
    pub state: Arc<State>,
}

/// What happened, as far as it matters to the invariants.
#[derive(Debug)]
pub struct History {
    /// By revision.
    pub log: BTreeMap<u64, Entry>,
    /// By server and life: the last revision applied.
    pub applied: BTreeMap<(u64, u64), u64>,
    /// Every VIP that was ever given.
    pub vips: BTreeMap<ServiceId, Vip>,
    /// Terms and who led in them; openraft lets a second lead in the term of the first, which then no longer does.
    pub leaders: BTreeSet<(u64, u64)>,
    /// By agent: the revision of its last view.
    pub seen: BTreeMap<String, u64>,
    /// By service, exporter and version: who was meant to see it.
    pub meant: BTreeMap<(ServiceId, ClusterId, u64), ExportScope>,
    /// Revisions that were acknowledged, with what.
    pub acknowledged: BTreeMap<u64, String>,
    /// Views that agents were given.
    pub views: u64,
    /// What has to come yet, once everything has healed.
    pub waits_for: String,
    /// Everything in order.
    pub trace: Trace,
}

/// Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Oracle {
    history: Arc<Mutex<History>>,
    broken: watch::Sender<Option<Violation>>,
}

impl Oracle {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new(trace: Trace) -> Self {
        let history = History {
            log: BTreeMap::new(),
            applied: BTreeMap::new(),
            vips: BTreeMap::new(),
            leaders: BTreeSet::new(),
            seen: BTreeMap::new(),
            meant: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            views: 0,
            waits_for: String::new(),
            trace,
        };
        Self { history: Arc::new(Mutex::new(history)), broken: watch::Sender::new(None) }
    }

    /// What happened so far.
    pub fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened that no invariant is about.
    pub fn note(&self, event: impl AsRef<str>) {
        self.history().trace.note(event);
    }

    /// The first invariant that was broken; the rest would only follow from it.
    pub async fn broken(&self) -> Violation {
        let mut broken = self.broken.subscribe();
        match broken.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(violation)) => violation.clone(),
            _ => std::future::pending().await,
        }
    }

    /// An invariant is broken.
    pub fn report(&self, violation: Violation) {
        self.note(format!("VIOLATION {violation}"));
        self.broken.send_if_modified(|first| {
            let unset = first.is_none();
            if unset {
                *first = Some(violation);
            }
            unset
        });
    }

    fn judge(&self, judgement: Result<(), Violation>) {
        if let Err(violation) = judgement {
            self.report(violation);
        }
    }

    /// What this life of `server` applies is seen from now on.
    #[must_use]
    pub fn witness(&self, server: u64, life: u64) -> Arc<dyn Witness> {
        Arc::new(Eyes { oracle: self.clone(), server, life })
    }

    /// `server` leads in `term`.
    pub fn leads(&self, server: u64, term: u64) {
        let mut history = self.history();
        if history.leaders.insert((term, server)) {
            history.trace.note(format!("server {server} leads in term {term}"));
        }
    }

    /// `cluster` was told that this generation of its export of `service` is committed.
    pub fn export_acknowledged(
        &self,
        cluster: &ClusterId,
        service: &ServiceId,
        generation: Generation,
        revision: Revision,
    ) {
        let judgement = {
            let mut history = self.history();
            history.trace.note(format!("{cluster} hears that {service} is committed at {revision}"));
            acknowledged::export(&mut history, cluster, service, generation, revision)
        };
        self.judge(judgement);
    }

    /// An operator was told that the token with this number is committed.
    pub fn token_acknowledged(&self, hash: federation_model::TokenHash, revision: Revision) {
        let judgement = {
            let mut history = self.history();
            history.trace.note(format!("an operator hears that a token is committed at {revision}"));
            acknowledged::token(&mut history, hash, revision)
        };
        self.judge(judgement);
    }

    /// The agent called `agent`, of `cluster`, was given this view.
    pub fn viewed(&self, agent: &str, cluster: &ClusterId, view: &FederationView) {
        let judgement = {
            let mut history = self.history();
            history.views += 1;
            history.trace.note(format!("{agent} sees revision {}", view.revision));
            revisions::view(&mut history, agent, view)
                .and_then(|()| scope::view(&history, agent, cluster, view))
                .and_then(|()| views::view(&history, agent, cluster, view))
        };
        self.judge(judgement);
    }
}

impl fmt::Debug for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oracle").finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Eyes {
    oracle: Oracle,
    server: u64,
    life: u64,
}

impl Witness for Eyes {
    fn applied(&self, revision: Revision, batch: Option<&Batch>, outcomes: &[Outcome], state: &State) {
        let judgement = {
            let history = &mut *self.oracle.history();
            history.trace.note(format!("server {} applies {revision}", self.server));
            revisions::applied(history, self.server, self.life, revision).and_then(|()| {
                if one_log::known(history, self.server, revision, batch, outcomes, state)? {
                    return Ok(());
                }
                let before = history.log.last_key_value().map(|(_, entry)| Arc::clone(&entry.state));
                let (state, batch) = (Arc::new(state.clone()), batch.cloned());
                let entry = Entry {
                    server: self.server,
                    batch,
                    outcomes: outcomes.to_vec(),
                    state: Arc::clone(&state),
                };
                let fenced = fencing::entry(before.as_deref(), revision, &entry);
                history.log.insert(revision.0, entry);
                fenced.and_then(|()| vips::state(history, &state)).and_then(|()| laws::state(&state))
            })
        };
        self.oracle.judge(judgement);
    }

    fn replaced(&self, state: &State) {
        let judgement = {
            let history = &mut *self.oracle.history();
            history.trace.note(format!("server {} takes the snapshot of {}", self.server, state.revision()));
            revisions::applied(history, self.server, self.life, state.revision())
                .and_then(|()| one_log::snapshot(history, self.server, state))
        };
        self.oracle.judge(judgement);
    }
}
