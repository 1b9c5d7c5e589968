//! Stories of agents on Kubernetes: real API servers with their controllers, a real federation server and real agents,
//! without nodes and pods. One story per file, each in a world of its own. What only the API server's misbehaviour can
//! show (429, 500, cut streams) is tested against a fake one in `agent/kubernetes`; what needs pods, in kind.
#![allow(clippy::indexing_slicing, reason = "a story knows the objects that it made itself")]

mod api_gone;
mod bad_exports;
mod by_hand;
mod conflict;
mod crds_missing;
mod export_import;
mod later_namespace;
mod rights;
mod servers_gone;
mod steady;
mod world;
mod world_cluster;
