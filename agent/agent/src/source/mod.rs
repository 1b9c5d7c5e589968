//! Where the cluster's own objects come from when there is no API server to ask: a directory of YAML ([`files`]). On
//! Kubernetes it is `agent_kubernetes::source`. Either publishes a whole [`SourceState`] at every change; nothing else
//! of it is seen.

pub mod files;

pub use agent_plan::source_state::{Problem, Reason, Severity, SourceState};
