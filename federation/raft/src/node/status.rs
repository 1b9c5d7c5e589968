//! What a server says of itself.

use federation_model::{Revision, ServerId};

use crate::types::Member;

/// Who leads, as this server knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leadership {
    /// This server.
    pub me: ServerId,
    /// The term.
    pub term: u64,
    /// The leader, if one is known.
    pub leader: Option<ServerId>,
}

impl Leadership {
    /// Whether this server leads.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.leader == Some(self.me)
    }
}

/// A server's view of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// Who leads.
    pub leadership: Leadership,
    /// The last applied revision.
    pub revision: Revision,
    /// The last entry in this server's log.
    pub last_log_index: u64,
    /// The last entry in its snapshot; zero without one.
    pub snapshot_index: u64,
    /// For a leader: milliseconds since a quorum last answered.
    pub quorum_millis: Option<u64>,
    /// Bytes of log and snapshot on disk.
    pub disk_bytes: u64,
    /// The members of the replicated membership.
    pub members: Vec<MemberStatus>,
}

/// One member, as this server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStatus {
    /// Which.
    pub id: ServerId,
    /// Where.
    pub member: Member,
    /// What it does.
    pub role: MemberRole,
    /// How far its log matches the leader's; known to the leader only.
    pub matched: Option<u64>,
}

/// What a member does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberRole {
    /// Leads.
    Leader,
    /// Votes.
    Follower,
    /// Is sent the log and does not vote.
    Learner,
}
