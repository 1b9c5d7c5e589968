//! The types that openraft is told to carry. Nothing here leaves the crate except [`Member`].

use std::io::Cursor;
use std::sync::Arc;

use federation_model::state::Outcome;
use federation_model::{Batch, ServerId};
use serde::{Deserialize, Serialize};

openraft::declare_raft_types!(
    pub(crate) TypeConfig:
        D = Arc<Batch>,
        R = Outcomes,
        NodeId = u64,
        Node = Seat,
        SnapshotData = Cursor<Vec<u8>>,
);

/// How one server is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// `host:port` where agents and operators reach it.
    pub api: String,
    /// `host:port` where the other servers reach it.
    pub raft: String,
}

/// A server's place in the group, as the replicated membership has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seat {
    api: String,
    raft: String,
    /// The one data directory that may take this seat. None in groups that were founded before seats had one,
    /// or that began with a backup.
    #[serde(default)]
    pub(crate) store: Option<StoreId>,
    /// Whether it was added to a group that was there: then these addresses count, and not those of the first
    /// configuration.
    #[serde(default)]
    pub(crate) added: bool,
}

impl Seat {
    /// A seat at the founding of the group, or of one that begins with a backup.
    pub(crate) fn founding(member: Member, store: Option<StoreId>) -> Self {
        Self { api: member.api, raft: member.raft, store, added: false }
    }

    /// A seat in a group that is there.
    pub(crate) fn added(member: Member, store: Option<StoreId>) -> Self {
        Self { api: member.api, raft: member.raft, store, added: true }
    }

    /// Where the server is, if `configured` is what the configuration says of it.
    pub(crate) fn member(&self, configured: Option<&Member>) -> Member {
        match configured {
            Some(configured) if !self.added => configured.clone(),
            _ => Member { api: self.api.clone(), raft: self.raft.clone() },
        }
    }
}

/// Names one data directory: chosen at random when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct StoreId(pub(crate) u64);

/// What applying one entry answers: one outcome per command of its batch, none for Raft's own entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcomes(pub(crate) Vec<Outcome>);

pub(crate) type Raft = openraft::Raft<TypeConfig>;
pub(crate) type Entry = openraft::Entry<TypeConfig>;
pub(crate) type LogId = openraft::LogId<u64>;
pub(crate) type Vote = openraft::Vote<u64>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<u64, Seat>;
pub(crate) type StoredMembership = openraft::StoredMembership<u64, Seat>;
pub(crate) type StorageError = openraft::StorageError<u64>;

/// A log id's index is a revision; before any entry it is zero.
pub(crate) fn revision_of(log_id: Option<&LogId>) -> federation_model::Revision {
    federation_model::Revision(log_id.map_or(0, |id| id.index))
}

/// openraft's node id of a server.
pub(crate) fn node_id(server: ServerId) -> u64 {
    server.0
}
