//! What a server stands on: its disk, its way to the others, its clocks.

use std::collections::BTreeMap;
use std::sync::Arc;

use federation_model::{ServerId, TrustDomain};

use super::{Clock, Space, StartError, Timing};
use crate::metrics::Metrics;
use crate::peer::server::RaftService;
use crate::peer::transport::{Call, NoAnswer, Transport};
use crate::planted::Planted;
use crate::store::catalogue::Witness;
use crate::store::engine::Disk;
use crate::store::identity::StoreIdentity;
use crate::store::open::{Store, open_now};
use crate::types::{Member, StoreId};

/// What a server needs that stands on other seams than the real ones: a simulation's.
#[derive(Debug)]
pub struct Seams {
    /// Which server this is.
    pub id: ServerId,
    /// The clusterset.
    pub clusterset: TrustDomain,
    /// The first voters, this one included.
    pub members: BTreeMap<ServerId, Member>,
    /// Whether it waits to be added to their group, instead of founding one with them.
    pub join: bool,
    /// A number that no other disk was given: what this one is called, if it is empty.
    pub fresh: u64,
    /// What it must not forget.
    pub disk: Arc<dyn Disk>,
    /// The way to the others.
    pub transport: Arc<dyn Transport>,
    /// How patient it is with the others.
    pub timing: Timing,
    /// What time it is for this server.
    pub clock: Clock,
    /// What is left on its disk.
    pub space: Space,
    /// Changes kept for watchers that fell behind.
    pub changes: usize,
    /// What is measured meanwhile.
    pub metrics: Metrics,
    /// Sees everything that is applied.
    pub witness: Option<Arc<dyn Witness>>,
    /// What is wrong with it on purpose.
    pub planted: Planted,
}

/// A server with its store open.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) id: ServerId,
    pub(super) clusterset: TrustDomain,
    pub(super) members: BTreeMap<ServerId, Member>,
    pub(super) join: bool,
    pub(super) store: Store,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) timing: Timing,
    pub(super) clock: Clock,
    pub(super) space: Space,
    pub(super) metrics: Metrics,
    pub(super) planted: Planted,
}

impl Seams {
    pub(super) fn open(self) -> Result<Parts, StartError> {
        let Self {
            id,
            clusterset,
            members,
            join,
            fresh,
            disk,
            transport,
            timing,
            clock,
            space,
            changes,
            metrics,
            ..
        } = self;
        let (witness, planted) = (self.witness, self.planted);
        if !members.contains_key(&id) {
            return Err(StartError::NotAMember(id));
        }
        let identity = StoreIdentity { clusterset: clusterset.clone(), server: id };
        let fresh = StoreId(fresh);
        let store = open_now(disk.as_ref(), &identity, fresh, changes, &metrics, witness, planted)?;
        Ok(Parts { id, clusterset, members, join, store, transport, timing, clock, space, metrics, planted })
    }
}

/// Where calls of the other servers arrive that did not come by the real port.
#[derive(Clone)]
pub struct PeerPort(pub(super) RaftService);

impl PeerPort {
    /// Answers one call.
    pub async fn answer(&self, call: Call, payload: &[u8]) -> Result<Vec<u8>, NoAnswer> {
        self.0.answer(call, payload).await.map_err(|error| NoAnswer::Failed(Box::new(error)))
    }
}

impl std::fmt::Debug for PeerPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeerPort").finish_non_exhaustive()
    }
}
