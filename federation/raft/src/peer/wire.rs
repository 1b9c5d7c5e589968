//! What the payload of a `RaftMessage` holds, by call.

use std::collections::{BTreeMap, BTreeSet};

use federation_model::state::Outcome;
use federation_model::{Command, Revision, ServerId};
use openraft::error::{InstallSnapshotError, RaftError};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use serde::{Deserialize, Serialize};

use crate::node::fair::Origin;
use crate::node::membership::{Managed, MembershipError};
use crate::types::{LogId, Member, Seat, StoreId, TypeConfig, Vote};

pub(crate) type Append = AppendEntriesRequest<TypeConfig>;
pub(crate) type AppendAnswer = Result<AppendEntriesResponse<u64>, RaftError<u64>>;
pub(crate) type Ballot = VoteRequest<u64>;
pub(crate) type BallotAnswer = Result<VoteResponse<u64>, RaftError<u64>>;
pub(crate) type Install = InstallSnapshotRequest<TypeConfig>;
pub(crate) type InstallAnswer = Result<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>>;
pub(crate) type ProposeAnswer = Result<Committed, Declined>;
pub(crate) type ManageAnswer = Result<Managed, Unmanaged>;

/// Commands that a follower hands to the leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Propose {
    pub(crate) commands: Vec<Command>,
    /// Whom they are for, in the order of the commands. A server that does not say so asks for all of them as one.
    #[serde(default)]
    pub(crate) parts: Vec<Part>,
}

/// Commands that belong together, for one origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) origin: Origin,
    /// How many.
    pub(crate) commands: usize,
}

impl Propose {
    /// The commands by part. Parts that do not add up to the commands mean nothing.
    pub(crate) fn split(self) -> Vec<(Origin, Vec<Command>)> {
        let Self { mut commands, parts } = self;
        let said = parts.iter().try_fold(0usize, |sum, part| sum.checked_add(part.commands));
        if said != Some(commands.len()) {
            return vec![(Origin::of(&commands), commands)];
        }
        let mut rest = commands.drain(..);
        parts.into_iter().map(|part| (part.origin, rest.by_ref().take(part.commands).collect())).collect()
    }
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
    /// It has no room on its disk.
    DiskFull,
}

/// Asks a server what it has. Answered by every server, also by one that does not take part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ask {}

/// What a server has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    /// Its data directory.
    pub(crate) store: StoreId,
    /// Whether it has neither a log nor a vote.
    pub(crate) pristine: bool,
    /// The servers with which it would found a group; none if it waits to be added to one.
    pub(crate) founders: BTreeSet<ServerId>,
    /// The entry that made the membership which it knows.
    pub(crate) membership_at: Option<LogId>,
    /// Everybody in that membership.
    pub(crate) seats: BTreeMap<u64, Seat>,
}

/// What is asked of the leader about the members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Manage {
    Add {
        id: ServerId,
        member: Member,
    },
    /// With `only_check` it is only said whether it could be done. `store`, here and below, is the data directory that
    /// has the seat as whoever was asked sees it: a request that arrives late is not about another server that was given
    /// the seat since. None if that server knows no such seat, or is of a version that does not say so.
    Promote {
        id: ServerId,
        only_check: bool,
        #[serde(default)]
        store: Option<StoreId>,
    },
    Remove {
        id: ServerId,
        #[serde(default)]
        store: Option<StoreId>,
    },
    Transfer {
        to: Option<ServerId>,
    },
}

/// Why the asked server did not do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Unmanaged {
    /// It does not lead, or no longer.
    NotLeader,
    /// It leads, and will not.
    Refused(MembershipError),
}

/// The leader has stepped down in favour of the server that it calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TakeOver {
    /// The vote that the others have adopted: nobody's, but after the leader's.
    pub(crate) vote: Vote,
}

/// Whether the called server stands for election.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TakeOverAnswer {
    Stands,
    /// The vote is not of the present any more.
    Late,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::codec::{decode, encode};

    fn renew(cluster: &str) -> Command {
        let instance = "0".repeat(32).parse().unwrap();
        Command::RenewLease { cluster: cluster.parse().unwrap(), instance }
    }

    #[test]
    fn what_is_handed_over_keeps_its_origins_in_order() {
        let (east, west) = (renew("east"), renew("west"));
        let commands = vec![east.clone(), east.clone(), west.clone(), Command::ExpireLeases];
        let part = |origin: &Origin, commands| Part { origin: origin.clone(), commands };
        let (of_east, of_west) = (Origin::of(&commands), Origin::of(&commands[2..]));
        let parts = vec![part(&of_east, 2), part(&of_west, 1), part(&Origin::Others, 1)];
        let split = Propose { commands: commands.clone(), parts: parts.clone() }.split();
        let expected = [
            (of_east.clone(), vec![east.clone(), east]),
            (of_west, vec![west]),
            (Origin::Others, vec![Command::ExpireLeases]),
        ];
        assert_eq!(split, expected);
        for parts in [Vec::new(), parts[..2].to_vec(), vec![part(&of_east, usize::MAX), part(&of_east, 5)]] {
            let split = Propose { commands: commands.clone(), parts }.split();
            assert_eq!(split, [(of_east.clone(), commands.clone())]);
        }
    }

    #[test]
    fn a_server_that_names_no_origins_is_understood() {
        #[derive(Serialize)]
        struct Before {
            commands: Vec<Command>,
        }
        let bytes = encode(&Before { commands: vec![renew("east")] }).unwrap();
        let read: Propose = decode(&bytes).unwrap();
        assert_eq!(read, Propose { commands: vec![renew("east")], parts: Vec::new() });
    }
}
