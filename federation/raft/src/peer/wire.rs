//! What the payload of a `RaftMessage` holds, by call.

use federation_model::state::Outcome;
use federation_model::{Command, Revision};
use openraft::error::{InstallSnapshotError, RaftError};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use serde::{Deserialize, Serialize};

use crate::types::TypeConfig;

pub(crate) type Append = AppendEntriesRequest<TypeConfig>;
pub(crate) type AppendAnswer = Result<AppendEntriesResponse<u64>, RaftError<u64>>;
pub(crate) type Ballot = VoteRequest<u64>;
pub(crate) type BallotAnswer = Result<VoteResponse<u64>, RaftError<u64>>;
pub(crate) type Install = InstallSnapshotRequest<TypeConfig>;
pub(crate) type InstallAnswer = Result<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>>;
pub(crate) type ProposeAnswer = Result<Committed, Declined>;

/// Commands that a follower hands to the leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Propose {
    pub(crate) commands: Vec<Command>,
}

/// Commands that are on disk on a quorum and applied by the leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// The entry that holds them.
    pub revision: Revision,
    /// One outcome per command, in order.
    pub outcomes: Vec<Outcome>,
}

/// Why the asked server did not commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Declined {
    /// It is not the leader, or ceased to be: the commands may be committed or not.
    NotLeader,
    /// Too much is waiting there already.
    Busy,
    /// The commands are larger than an entry may be.
    TooLarge,
}
