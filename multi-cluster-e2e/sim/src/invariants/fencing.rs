//! Only the agent that holds a cluster's lease writes for it. Who holds it is followed here anew, from the commands that
//! were accepted.

use std::collections::BTreeMap;

use federation_model::{ClusterId, Command, InstanceId, Lease, Revision, State, UnixMillis};

use super::{Property, Violation};
use crate::oracle::Entry;

/// An entry that nobody applied before.
pub fn entry(before: Option<&State>, revision: Revision, entry: &Entry) -> Result<(), Violation> {
    let Some(batch) = &entry.batch else { return Ok(()) };
    let mut holders: BTreeMap<ClusterId, Held> = before.map(holders).unwrap_or_default();
    for (command, outcome) in batch.commands.iter().zip(&entry.outcomes) {
        if outcome.is_err() {
            continue;
        }
        let (cluster, speaker) = match command {
            Command::RegisterCluster(registration) | Command::OpenSession { registration, .. } => {
                (&registration.cluster, &registration.instance)
            }
            Command::RenewLease { cluster, instance, .. } => (cluster, instance),
            Command::PutExport { instance, export, .. } => (&export.cluster, instance),
            Command::RemoveExport { cluster, instance, .. }
            | Command::PutBundle { cluster, instance, .. } => (cluster, instance),
            Command::ExpireLeases => {
                holders.retain(|_, held| held.until > entry.state.now());
                continue;
            }
            _ => continue,
        };
        if let Some(holder) = holders.get(cluster).filter(|held| &held.by != speaker) {
            let what = format!(
                "agent {} wrote for {cluster} at {revision} while {} held its lease",
                short(speaker),
                short(&holder.by)
            );
            return Err(Violation::of(Property::Fencing, what));
        }
        if matches!(
            command,
            Command::RegisterCluster(_) | Command::OpenSession { .. } | Command::RenewLease { .. }
        ) {
            // For longer than this batch, whatever its time is.
            holders.insert(cluster.clone(), Held { by: speaker.clone(), until: UnixMillis(u64::MAX) });
        }
    }
    Ok(())
}

/// Who holds a lease, and until when.
struct Held {
    by: InstanceId,
    until: UnixMillis,
}

fn holders(state: &State) -> BTreeMap<ClusterId, Held> {
    let held = |cluster: &federation_model::Cluster| match &cluster.lease {
        Lease::Held { instance, until } => {
            Some((cluster.id.clone(), Held { by: instance.clone(), until: *until }))
        }
        Lease::Expired { .. } => None,
    };
    state.clusters().filter_map(held).collect()
}

fn short(instance: &InstanceId) -> String {
    instance.to_string().chars().skip(24).collect()
}
