//! The replicated catalogue of a clusterset, as plain data and pure functions.
//!
//! Owns: ids, clusters, exports, bundles, VIPs, join tokens; the commands that change them; `State::apply`, the only
//! way in; the queries that the servers answer; and the merge of exports into imports by the rules of KEP-1645.
//!
//! Must never: read a clock, draw a random number, do I/O, know an async runtime, or let the iteration order of a
//! hash map reach a result. Time and ids come in as values, stamped by the Raft leader.
//!
//! Reading order: [`ids`], [`trust_domain`] and [`spiffe_id`] → the nouns [`cluster`], [`export`], [`endpoint`], [`ip_family`], [`bundle`], [`vip`],
//! [`token`], [`session`] → [`command`] and [`rejection`] → [`state`], with [`audit`] and [`backup`] → [`item`] and [`view`] (what one cluster sees) →
//! [`import`] and [`failover`] (what it makes of that) → [`data_plane`] (what its proxies do about it). [`ascending`] is
//! how sorted maps are read side by side, [`shared_map`] how many versions of one live at the same time.
//!
//! Tests: beside each module; laws that must hold after any sequence of commands are in [`state::invariants`] and are
//! exercised by the property test in `tests/apply_laws.rs`.

pub mod ascending;
pub mod audit;
pub mod backup;
pub mod bundle;
pub mod cluster;
pub mod command;
pub mod data_plane;
pub mod endpoint;
pub mod export;
pub mod failover;
pub mod ids;
pub mod import;
pub mod ip_family;
pub mod item;
pub mod rejection;
pub mod session;
pub mod shared_map;
pub mod spiffe_id;
pub mod state;
pub mod token;
pub mod trust_domain;
pub mod view;
pub mod vip;

pub use audit::{Audit, Operator};
pub use backup::Backup;
pub use bundle::Bundle;
pub use cluster::{Cluster, Gateway, Lease};
pub use command::{Batch, Command};
pub use endpoint::Endpoint;
pub use export::{Export, ExportKind, ExportScope, MtlsMode, ServicePort};
pub use ids::{
    ClusterId, Generation, Incarnation, InstanceId, Namespace, NetworkId, PortName, Region, Revision,
    ServerId, ServiceId, ServiceName, SessionNumber, StreamId, UnixMillis, Zone,
};
pub use import::{Import, ImportPort};
pub use ip_family::IpFamily;
pub use item::{Item, ItemKey};
pub use rejection::Rejection;
pub use session::Session;
pub use shared_map::SharedMap;
pub use spiffe_id::SpiffeId;
pub use state::State;
pub use token::{JoinToken, TokenHash};
pub use trust_domain::TrustDomain;
pub use view::{Exporters, FederationView};
pub use vip::{Vip, VipRanges};
