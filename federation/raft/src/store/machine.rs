//! The state machine: committed entries become the catalogue. The catalogue is in memory; what survives a restart is
//! the last snapshot and the log after it.

use std::io::Cursor;
use std::sync::Arc;

use federation_model::state::Changes;
use federation_model::{Revision, State, UnixMillis};
use openraft::storage::RaftStateMachine;
use openraft::{
    EntryPayload, ErrorSubject, ErrorVerb, OptionalSend, RaftSnapshotBuilder, Snapshot,
    StoredMembership as Stored,
};

use super::catalogue::Catalogue;
use super::durable::Durable;
use super::error::StoreError;
use super::snapshot::{Body, SnapshotStore};
use crate::metrics::Metrics;
use crate::planted::{Bug, Planted};
use crate::types::{
    Entry, LogId, Outcomes, Seat, SnapshotMeta, StorageError, StoredMembership, TypeConfig, revision_of,
};

/// Changes that are kept with a snapshot: more than watchers miss while a server restarts.
const TAIL: usize = 16_384;

/// openraft's view of the catalogue.
#[derive(Debug)]
pub(crate) struct StateMachine {
    catalogue: Arc<Catalogue>,
    snapshots: Arc<SnapshotStore>,
    durable: Durable,
    planted: Planted,
    last_applied: Option<LogId>,
    membership: StoredMembership,
}

impl StateMachine {
    /// Restores the catalogue from the last snapshot. `purged` is the last entry that the log no longer has.
    pub(crate) fn load(
        catalogue: Arc<Catalogue>,
        snapshots: SnapshotStore,
        durable: Durable,
        purged: Option<LogId>,
    ) -> Result<Self, StoreError> {
        let mut this = Self {
            catalogue,
            snapshots: Arc::new(snapshots),
            durable,
            planted: Planted::default(),
            last_applied: None,
            membership: StoredMembership::default(),
        };
        if let Some((meta, data)) = this.snapshots.load()? {
            this.become_snapshot(&meta, Body::decode(&data)?);
        }
        if purged > this.last_applied {
            let (after, purged) = (revision_of(this.last_applied.as_ref()), revision_of(purged.as_ref()));
            return Err(StoreError::Gap { after: after.0, purged: purged.0 });
        }
        Ok(this)
    }

    /// The same, with a defect.
    pub(crate) fn with(self, planted: Planted) -> Self {
        Self { planted, ..self }
    }

    fn become_snapshot(&mut self, meta: &SnapshotMeta, body: Body) {
        self.last_applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        let mut state = body.state;
        // The last entries before the snapshot may have been Raft's own.
        state.skip_to(revision_of(meta.last_log_id.as_ref()));
        self.catalogue.replace(state, body.at, body.tail);
    }
}

fn snapshot(verb: ErrorVerb) -> impl FnOnce(StoreError) -> StorageError {
    move |error| error.into_storage(ErrorSubject::Snapshot(None), verb)
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Stored<u64, Seat>), StorageError> {
        Ok((self.last_applied, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Outcomes>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        if let Some(last) = entries.last().filter(|_| !self.planted.has(Bug::LeaderAcknowledgesEarly)) {
            let durable = self.durable.until(last.log_id.index).await;
            durable.map_err(|error| error.into_storage(ErrorSubject::Log(last.log_id), ErrorVerb::Write))?;
        }
        for entry in &entries {
            self.last_applied = Some(entry.log_id);
            if let EntryPayload::Membership(membership) = &entry.payload {
                self.membership = StoredMembership::new(Some(entry.log_id), membership.clone());
            }
        }
        let steps = entries.iter().map(|entry| {
            let batch = match &entry.payload {
                EntryPayload::Normal(batch) => Some(&**batch),
                EntryPayload::Blank | EntryPayload::Membership(_) => None,
            };
            (Revision(entry.log_id.index), batch)
        });
        let applied = self.catalogue.apply(steps);
        Ok(applied.into_iter().map(|applied| Outcomes(applied.outcomes)).collect())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        let (state, changes, at) = self.catalogue.copy();
        let id = self
            .last_applied
            .map_or_else(|| "empty".to_owned(), |id| format!("{}-{}", id.leader_id, id.index));
        SnapshotBuilder {
            snapshots: Arc::clone(&self.snapshots),
            meta: SnapshotMeta {
                last_log_id: self.last_applied,
                last_membership: self.membership.clone(),
                snapshot_id: id,
            },
            copy: Arc::new((state, changes, at)),
            metrics: self.catalogue.metrics().clone(),
        }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        received: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError> {
        let data = received.into_inner();
        // Read whole before anything is replaced.
        let body = Body::decode(&data).map_err(snapshot(ErrorVerb::Read))?;
        self.snapshots.save(meta, &data).await.map_err(snapshot(ErrorVerb::Write))?;
        self.become_snapshot(meta, body);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<TypeConfig>>, StorageError> {
        let found = self.snapshots.load().map_err(snapshot(ErrorVerb::Read))?;
        Ok(found.map(|(meta, data)| Snapshot { meta, snapshot: Box::new(Cursor::new(data)) }))
    }
}

/// Encodes and saves one copy of the catalogue, beside the state machine.
#[derive(Debug)]
pub(crate) struct SnapshotBuilder {
    snapshots: Arc<SnapshotStore>,
    meta: SnapshotMeta,
    copy: Arc<(State, Changes, UnixMillis)>,
    metrics: Metrics,
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, StorageError> {
        let copy = Arc::clone(&self.copy);
        let encode = move || {
            let (state, changes, at) = &*copy;
            Body { state: state.clone(), at: *at, tail: Some(changes.tail(TAIL)) }.encode()
        };
        let encoded = self.snapshots.runner().beside(encode).await;
        let data = encoded.map_err(snapshot(ErrorVerb::Write))?;
        self.snapshots.save(&self.meta, &data).await.map_err(snapshot(ErrorVerb::Write))?;
        self.metrics.snapshot_of(self.copy.2);
        Ok(Snapshot { meta: self.meta.clone(), snapshot: Box::new(Cursor::new(data)) })
    }
}
