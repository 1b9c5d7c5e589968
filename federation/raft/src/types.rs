//! The types that openraft is told to carry. Nothing here leaves the crate except [`Member`].

use std::io::Cursor;

use federation_model::state::Outcome;
use federation_model::{Batch, ServerId};
use serde::{Deserialize, Serialize};

openraft::declare_raft_types!(
    pub(crate) TypeConfig:
        D = Batch,
        R = Outcomes,
        NodeId = u64,
        Node = Member,
        SnapshotData = Cursor<Vec<u8>>,
);

/// How one server is reached. Part of the replicated membership.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// `host:port` where agents and operators reach it.
    pub api: String,
    /// `host:port` where the other servers reach it.
    pub raft: String,
}

/// What applying one entry answers: one outcome per command of its batch, none for Raft's own entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcomes(pub(crate) Vec<Outcome>);

pub(crate) type Raft = openraft::Raft<TypeConfig>;
pub(crate) type Entry = openraft::Entry<TypeConfig>;
pub(crate) type LogId = openraft::LogId<u64>;
pub(crate) type Vote = openraft::Vote<u64>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<u64, Member>;
pub(crate) type StoredMembership = openraft::StoredMembership<u64, Member>;
pub(crate) type StorageError = openraft::StorageError<u64>;

/// A log id's index is a revision; before any entry it is zero.
pub(crate) fn revision_of(log_id: Option<&LogId>) -> federation_model::Revision {
    federation_model::Revision(log_id.map_or(0, |id| id.index))
}

/// openraft's node id of a server.
pub(crate) fn node_id(server: ServerId) -> u64 {
    server.0
}
