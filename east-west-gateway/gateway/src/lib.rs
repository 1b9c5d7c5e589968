//! `isthmus-gateway`: mTLS between clusters, for workloads that have no proxy of their own.
//!
//! Owns: the listener for other clusters (mTLS ended, or relayed by SNI), the listeners for imports, the
//! dialling of endpoints and of other gateways, the relaying of bytes, and the judging of live connections.
//!
//! Must never: decide by anything but `east-west-gateway-route` and `federation-trust`; let a stranger learn what is
//! exported; forget what was last good because the agent is gone; let one client, or one address that cannot be
//! bound, disturb another.
//!
//! Reading order: [`config`] and [`app`] (what there is) → [`config_source`] (where [`applied`] configurations come
//! from, and the way to the agent) → [`plane`] (what connections share) → [`listen`] → [`mod@tls`] → [`dial`] → [`relay`] → [`track`] (what becomes
//! of a call from another cluster, in order) → [`egress`] (calls of local clients), [`descriptors`] → [`metrics`], [`status`].
//!
//! Tests: beside the modules; `tests/gateway/` runs whole gateways in process, over real TLS and on ports that the
//! system chooses, against an agent that is a stand-in (`tests/gateway/fake_agent.rs`).

pub mod app;
pub mod applied;
pub mod config;
pub mod config_source;
pub mod descriptors;
pub mod dial;
pub mod egress;
pub mod listen;
pub mod metrics;
pub mod plane;
pub mod relay;
pub mod status;
pub mod tls;
pub mod track;
