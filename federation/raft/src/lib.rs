//! One catalogue on several servers: consensus, its storage and its transport.
//!
//! Owns: the Raft log, vote and snapshots on disk; the catalogue in memory; the port between servers; group commit and
//! the forwarding of writes to the leader; the leader's chore of expiring leases. It is the only crate that names
//! openraft or sled, and nothing of either is in its API.
//!
//! Must never: acknowledge a write before a quorum has it on disk; start over a data directory that it does not
//! recognise as its own; decide who may write what (the caller has); talk to anyone but servers of its clusterset.
//!
//! Reading order, which is the way of a write: [`Node`] → `node/propose.rs` (queue) → `node/commit.rs` (group, forward) → `peer/` (to the
//! leader, and from it to the others) → `store/log.rs` (to disk) → `store/machine.rs` and `store/catalogue.rs` (applied,
//! and readable). Beside it: `store/open.rs` and `store/db.rs` (the data directory), `store/flush.rs`, `store/durable.rs` and
//! `store/mark.rs` (what is on disk, and how that is known), `store/snapshot.rs`, `store/restore.rs`, `node/leases.rs`. What all of it stands on can be
//! exchanged, for a simulation: [`seams`] (`store/engine/`, `peer/transport.rs`, `node/clock.rs`). Around it: `node/standing/` (whether
//! this server takes part) and `node/membership/` (who else does, and who leads).
//!
//! Tests: `store/tests.rs` runs openraft's own conformance suite, `store/tests/damage.rs` damages files; `tests/group.rs` runs three servers over real mTLS.

mod metrics;
mod node;
mod peer;
mod planted;
mod store;
mod types;

pub use metrics::Metrics;
pub use node::{
    Clock, DiskRoom, Leadership, Managed, MemberRole, MemberStatus, MembershipError, Node, NodeConfig,
    NodeStatus, ProposeError, RaftFailure, Space, Standing, StartError, Timing, Waiting,
};
pub use peer::listener::{ListenError, PeerListener};
pub use peer::wire::Committed;
pub use store::codec::CodecError;
pub use store::engine::EngineError;
pub use store::error::StoreError;
pub use store::identity::StoreIdentity;
pub use types::Member;

/// Where a server can be put on something else than a directory, gRPC and the system's clock, which is what
/// [`Node::start`] puts it on: [`Node::start_on`].
pub mod seams {
    pub use crate::node::{PeerPort, Seams};
    pub use crate::peer::transport::{Call, NoAnswer, Transport};
    pub use crate::planted::{Bug, Planted};
    pub use crate::store::catalogue::Witness;
    pub use crate::store::engine::{Disk, Engine, OpenError, Pair, Runner, Sectors, Tree, Write};
}
