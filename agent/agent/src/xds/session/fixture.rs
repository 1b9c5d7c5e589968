//! Snapshots for the tables: `"a=1 b=2"` are resources `a` and `b` with these contents.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::Arc;

use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::google::rpc::Status;

use crate::xds::resource::{Resource, ResourceType, Resources, Snapshot};

pub(crate) fn snapshot(types: &[(ResourceType, &str)]) -> Arc<Snapshot> {
    let resources = types.iter().map(|(kind, all)| {
        let all = all.split_whitespace().map(|one| {
            let (name, content) = one.split_once('=').unwrap_or((one, ""));
            (name.to_owned(), resource(name, content))
        });
        (*kind, Resources::shared(all.collect()))
    });
    Arc::new(Snapshot::new(1, resources))
}

/// The type of the message does not matter to a session.
pub(crate) fn resource(name: &str, content: &str) -> Resource {
    Resource::new(&Cluster { name: name.to_owned(), alt_stat_name: content.to_owned(), ..Cluster::default() })
}

/// `a=1`, from its bytes.
pub(crate) fn show(body: &[u8]) -> String {
    let cluster: Cluster = prost::Message::decode(body).unwrap();
    format!("{}={}", cluster.name, cluster.alt_stat_name)
}

pub(crate) fn complaint() -> Option<Status> {
    Some(Status { code: 3, message: "no".to_owned(), ..Status::default() })
}
