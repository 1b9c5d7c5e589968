//! The agent's way to its cluster's API server: the only crate that names kube.
