//! The JSON page `/status`, for people and scripts.

use federation_raft::MemberRole;
use serde_json::{Value, json};

use crate::services::Context;

/// What the server knows now.
pub(super) fn status(context: &Context) -> Value {
    let status = context.node.status();
    let members: Vec<Value> = status
        .members
        .iter()
        .map(|member| {
            let role = match member.role {
                MemberRole::Leader => "leader",
                MemberRole::Follower => "follower",
                MemberRole::Learner => "learner",
            };
            json!({
                "id": member.id,
                "api": member.member.api,
                "raft": member.member.raft,
                "role": role,
                "matched": member.matched,
            })
        })
        .collect();
    let clusters: Vec<Value> = context.node.read(|state, _| {
        let one = |cluster: &federation_model::Cluster| {
            let exports = state.exports().filter(|export| export.cluster == cluster.id).count();
            json!({
                "id": cluster.id,
                "trust_domain": cluster.trust_domain,
                "alive": cluster.lease.is_held(),
                "exports": exports,
                "reported": context.reports.of(&cluster.id),
            })
        };
        state.clusters().map(one).collect()
    });
    let standing = context.node.standing().borrow().clone();
    let room = *context.node.room().borrow();
    json!({
        "server": context.node.id(),
        "disk_full": room.low,
        "disk_free_bytes": room.free,
        "standing": standing.word(),
        "standing_means": standing.to_string(),
        "clusterset": context.trust.clusterset(),
        "version": federation_kit::build_info::version().to_string(),
        "leader": status.leadership.leader,
        "term": status.leadership.term,
        "revision": status.revision,
        "last_log_index": status.last_log_index,
        "snapshot_index": status.snapshot_index,
        "disk_bytes": status.disk_bytes,
        "members": members,
        "clusters": clusters,
        "watchers": context.metrics.watchers.get(),
        "publishers": context.metrics.publishers.get(),
    })
}
