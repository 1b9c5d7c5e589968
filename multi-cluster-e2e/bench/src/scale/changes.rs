//! Changes at a steady pace, and the list of them.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use federation_model::ServiceId;

use super::Options;
use super::fleet::Fleet;
use super::member::localities;

/// One change of one service.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// The number of its cluster.
    pub(super) exporter: usize,
    pub(super) service: ServiceId,
    /// Endpoints that are ready from now on. Differs from those of the last changes of the same service.
    pub(super) ready: u32,
    /// When it was handed to the client.
    pub(super) at: Instant,
}

/// All changes made so far, in order.
#[derive(Debug, Default)]
pub(super) struct Changes {
    made: Mutex<Vec<Change>>,
}

impl Changes {
    /// Those from number `from` on.
    pub(super) fn after(&self, from: usize) -> Vec<Change> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.get(from..).unwrap_or_default().to_vec()
    }

    /// Makes all of them: how many, and in which time. Clusters take turns, and so do the services of each.
    pub(super) async fn make(&self, fleet: &Fleet, options: &Options) -> (u64, Duration) {
        let begun = tokio::time::Instant::now();
        let wanted = u64::from(options.changes) * options.seconds;
        let pause = Duration::from_secs(1) / options.changes;
        for (number, (exporter, service, round)) in
            turns(options).take(usize::try_from(wanted).unwrap_or(0)).enumerate()
        {
            // A pace that was lost is caught up with: late changes come at once.
            tokio::time::sleep_until(begun + pause * u32::try_from(number).unwrap_or(u32::MAX)).await;
            self.one(fleet, options, exporter, service, round);
        }
        (wanted, begun.elapsed())
    }

    fn one(&self, fleet: &Fleet, options: &Options, exporter: usize, service: usize, round: u32) {
        let Some(member) = fleet.members.get(exporter) else { return };
        let Some(service) = member.services.get(service) else { return };
        let ready = ready(options.endpoints, round);
        let Ok(localities) = localities(&member.id, options.endpoints, ready) else { return };
        let change = Change { exporter, service: service.clone(), ready, at: Instant::now() };
        // Listed before it can be seen.
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(change);
        member.change(service, |export| export.localities = localities);
    }
}

/// Cluster, service and round of each change.
fn turns(options: &Options) -> impl Iterator<Item = (usize, usize, u32)> {
    let (clusters, services) = (options.clusters, options.services);
    (0u32..).flat_map(move |round| {
        (0..services).flat_map(move |service| (0..clusters).map(move |cluster| (cluster, service, round)))
    })
}

/// Ready endpoints after the change of `round`: one less each time, and all again after none.
fn ready(endpoints: u32, round: u32) -> u32 {
    let counts = u64::from(endpoints) + 1;
    let ready = (2 * u64::from(endpoints) - u64::from(round) % counts) % counts;
    u32::try_from(ready).unwrap_or(endpoints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_change_leaves_what_was() {
        for endpoints in 1..12 {
            let all: Vec<u32> =
                std::iter::once(endpoints).chain((0..40).map(|round| ready(endpoints, round))).collect();
            assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{all:?}");
            assert!(all.iter().all(|ready| *ready <= endpoints));
        }
    }

    #[test]
    fn clusters_take_turns() {
        let options = Options { clusters: 2, services: 2, endpoints: 1, changes: 1, seconds: 1, scope: None };
        let some: Vec<_> = turns(&options).take(6).collect();
        assert_eq!(some, [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 0, 1), (1, 0, 1)]);
    }
}
