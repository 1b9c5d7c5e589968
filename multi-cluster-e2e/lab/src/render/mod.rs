//! The files that the lab writes before it starts anything: configuration of the daemons and the clusters' YAML.

pub mod agent;
pub mod gateway;
pub mod manifests;
pub mod server;

#[cfg(test)]
mod tests;
