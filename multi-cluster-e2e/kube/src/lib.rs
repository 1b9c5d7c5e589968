//! Real Kubernetes API servers for tests: etcd, kube-apiserver and, if wanted, kube-controller-manager, as plain
//! processes on loopback, without root, containers or pods.
//!
//! Owns: the processes' lives, the certificates and users of each API server, and a plain way to write and read objects
//! and the audit log.
//!
//! Must never: leave a process or a directory behind, also when a test panics or is killed (the lab's warden sees to it);
//! wait for a time instead of a condition; or know anything of Isthmus but where its CRDs are.
//!
//! Reading order: [`binaries`] (what runs) → [`options`] and [`certificates`] (as whom, and how it is trusted) →
//! [`api_server`] (its life) → [`objects`] and [`crds`] (what is in it) → [`audit`] (what was written to it).
//!
//! Tests: beside each module, and with real processes in `tests/`. The programs come from `deploy/setup/kubernetes.sh`
//! and `cargo build --workspace`; without them a test fails with a sentence that says so.

pub mod api_server;
pub mod audit;
pub mod binaries;
pub mod certificates;
pub mod crds;
pub mod kubeconfig;
pub mod objects;
pub mod options;

pub use api_server::ApiServer;
pub use objects::{Kind, Objects};
pub use options::{Options, User};
