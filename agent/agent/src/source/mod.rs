//! Where the cluster's own objects come from: today a directory of YAML ([`files`]), later kube-apiserver as well.
//! A source publishes a whole [`SourceState`] at every change; nothing else of it is seen.

pub mod files;
pub mod state;

pub use state::{Problem, Reason, Severity, SourceState};
