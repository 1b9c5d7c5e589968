//! How agents and operators talk to the federation's servers: any server will do, and none is waited for.
//!
//! Owns: joining and renewing; the three streams of an agent (publish, watch, report) with fail-over, time limits and
//! jittered backoff; the last known good view on disk; the calls of an operator.
//!
//! Must never: decide what is exported or what an import means, keep a session beyond the trust that it was made with,
//! or put a view in the reader's hands that is half of one revision and half of another.
//!
//! Reading order: [`timing`], [`servers`] and `dial` → [`error`] → [`mod@join`] and [`renew`] → [`publish`] (desired set →
//! ledger → stream), [`watch`] (stream → assembler → view), [`report`] → [`last_known_good`] → [`agent_client`], which
//! runs them → [`admin_client`] and [`admin_streams`].
//!
//! Tests: the ledger, the assembler and the file format have theirs beside them, without a network; `tests/agent.rs`,
//! `tests/joining.rs` and `tests/operator.rs` run against in-process servers over real TLS.

pub mod admin_client;
pub mod admin_streams;
pub mod agent_client;
mod dial;
pub mod error;
pub mod join;
pub mod last_known_good;
pub mod publish;
pub mod renew;
pub mod report;
pub mod servers;
pub mod timing;
pub mod watch;

pub use admin_client::AdminClient;
pub use agent_client::{AgentClient, AgentConfig, AgentHandle};
pub use dial::Channels;
pub use error::ClientError;
pub use join::{Joined, join};
pub use publish::{Desired, ItemState, PublishStatus};
pub use renew::Renewed;
pub use servers::Servers;
pub use timing::Timing;
pub use watch::Upstream;
