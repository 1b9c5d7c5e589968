//! What it takes to start a server, and why it may not.

use std::collections::BTreeMap;
use std::path::PathBuf;

use federation_model::{ServerId, TrustDomain};
use federation_trust::{SharedBundles, SharedIdentity};

use super::{Clock, Space, Timing};
use crate::metrics::Metrics;
use crate::peer::listener::PeerListener;
use crate::store::error::StoreError;
use crate::types::Member;

/// What a server needs to take part.
#[derive(Debug)]
pub struct NodeConfig {
    /// Which server this is.
    pub id: ServerId,
    /// The clusterset.
    pub clusterset: TrustDomain,
    /// Where log and snapshots are kept.
    pub data_dir: PathBuf,
    /// The first voters, the same list on every server, this one included. Later it is only used for addresses.
    pub members: BTreeMap<ServerId, Member>,
    /// Whether this server waits to be added to the group of those members, instead of founding one with them.
    pub join: bool,
    /// Shown to the other servers.
    pub identity: SharedIdentity,
    /// Holds the bundle of the clusterset.
    pub bundles: SharedBundles,
    /// The Raft port, bound.
    pub listener: PeerListener,
    /// What is left on its disk.
    pub space: Space,
    /// How patient it is with the others.
    pub timing: Timing,
    /// What time it is for this server.
    pub clock: Clock,
    /// What is measured meanwhile.
    pub metrics: Metrics,
}

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The list of members lacks this server.
    #[error("server {0} is not in the list of members")]
    NotAMember(ServerId),
    /// The data directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The timing contradicts itself.
    #[error("timing is invalid")]
    Timing(#[source] Box<openraft::ConfigError>),
    /// Raft stopped at once; the cause is a storage error.
    #[error("raft did not start")]
    Raft(#[source] RaftFailure),
}

/// Why Raft stopped for good, in openraft's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RaftFailure(pub(super) String);
