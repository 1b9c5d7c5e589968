//! Why the members stay as they are, and what to do about it.

use std::time::Duration;

use federation_model::ServerId;
use serde::{Deserialize, Serialize};

/// Why a change of the members, or of the leader, was not made. The text says what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum MembershipError {
    /// Nobody leads.
    #[error("no server led within {waited:?}; a majority of the voters must run")]
    NoLeader {
        /// How long was waited.
        waited: Duration,
    },
    /// One change at a time.
    #[error("another change of the members is under way; try again when it is done")]
    InProgress,
    /// There is no such server.
    #[error("server {0} is not a member; see isthmus members list")]
    NotAMember(ServerId),
    /// It was removed, and another one was added in its place, while the request was on its way.
    #[error("server {0} was replaced meanwhile, and the new one was not meant; see isthmus members list")]
    Replaced(ServerId),
    /// Its place is taken, by another data directory or at another address.
    #[error(
        "server {0} is a member already, with other data or at another address; first: isthmus members remove {0}"
    )]
    IsMember(ServerId),
    /// Two servers cannot be in one place.
    #[error("{address} is the address of server {by}")]
    AddressInUse {
        /// The address.
        address: String,
        /// Whose it is.
        by: ServerId,
    },
    /// A larger group would only be slower.
    #[error("there are {max} members already, which is the most there may be; remove one first")]
    TooMany {
        /// The bound.
        max: usize,
    },
    /// A server is added when it runs.
    #[error(
        "server {server} does not answer at {address} ({problem}); start it with join = true, then add it again"
    )]
    Silent {
        /// Which.
        server: ServerId,
        /// Where it was called.
        address: String,
        /// What came of it.
        problem: String,
    },
    /// A server is added empty.
    #[error(
        "server {server} at {address} has data of its own; stop it, empty its data directory, start it with join = true \
         and add it again"
    )]
    HasData {
        /// Which.
        server: ServerId,
        /// Where.
        address: String,
    },
    /// A voter that lacks most of the log would hold up every write.
    #[error(
        "server {server} is {entries} entries behind the leader, and may be {bound}; wait, and promote it again"
    )]
    Behind {
        /// Which.
        server: ServerId,
        /// How far.
        entries: u64,
        /// How far it may be.
        bound: u64,
    },
    /// A group has at least one voter.
    #[error("server {0} is the last voter; add and promote another one first")]
    LastVoter(ServerId),
    /// The group could commit nothing after it.
    #[error(
        "only {answering} of the voters would answer after that, and {needed} are needed; first bring back or remove \
         what is silent: {}",
        list(silent)
    )]
    TooFew {
        /// Voters that would answer.
        answering: usize,
        /// A majority.
        needed: usize,
        /// Voters that do not answer now.
        silent: Vec<ServerId>,
    },
    /// Only voters lead.
    #[error("server {0} does not vote; first: isthmus members promote {0}")]
    NotAVoter(ServerId),
    /// Nobody else could lead.
    #[error("there is no other voter that answers and could lead; bring one back, or promote one")]
    NoSuccessor,
    /// The chosen server did not become leader in time.
    #[error("server {target} did not take over; {} leads; see isthmus members list, and try again", or_nobody(*leader))]
    NotTaken {
        /// Which was to lead.
        target: ServerId,
        /// Who does.
        leader: Option<ServerId>,
    },
    /// It was proposed, and nobody said what came of it.
    #[error("the change was not committed within {waited:?} and may still happen; see isthmus members list")]
    Uncommitted {
        /// How long was waited.
        waited: Duration,
    },
    /// The leader runs an earlier version.
    #[error("server {0} leads and cannot change members; upgrade it, or stop it so that another one leads")]
    OldLeader(ServerId),
    /// The server that was asked is stopping.
    #[error("this server is stopping; ask another one")]
    Stopped,
}

impl MembershipError {
    /// One word for it, for a metric or a program.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoLeader { .. } => "no_leader",
            Self::InProgress => "in_progress",
            Self::NotAMember(_) => "not_a_member",
            Self::Replaced(_) => "replaced",
            Self::IsMember(_) => "is_member",
            Self::AddressInUse { .. } => "address_in_use",
            Self::TooMany { .. } => "too_many_members",
            Self::Silent { .. } => "silent",
            Self::HasData { .. } => "has_data",
            Self::Behind { .. } => "behind",
            Self::LastVoter(_) => "last_voter",
            Self::TooFew { .. } => "too_few_voters",
            Self::NotAVoter(_) => "not_a_voter",
            Self::NoSuccessor => "no_successor",
            Self::NotTaken { .. } => "not_taken",
            Self::Uncommitted { .. } => "uncommitted",
            Self::OldLeader(_) => "old_leader",
            Self::Stopped => "stopping",
        }
    }
}

fn list(servers: &[ServerId]) -> String {
    let all: Vec<String> = servers.iter().map(ToString::to_string).collect();
    all.join(", ")
}

fn or_nobody(leader: Option<ServerId>) -> String {
    leader.map_or_else(|| "nobody".to_owned(), |leader| format!("server {leader}"))
}
