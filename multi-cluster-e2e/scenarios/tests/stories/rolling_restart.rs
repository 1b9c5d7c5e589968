//! An operator restarts one server after the other while clusters publish and watch: every write is acknowledged, and
//! nobody is sent a second snapshot.

use std::collections::BTreeMap;

use multi_cluster_e2e_history::{Event, History, WatcherName, check};
use multi_cluster_e2e_torture::federation::{Federation, Plan};

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_fails_no_write_and_sends_nobody_a_second_snapshot() -> anyhow::Result<()> {
    // Bare watches stay where they are until their server goes.
    let mut federation = Federation::up(&Plan { restless: false, ..Plan::default() }).await?;
    let told = rolling_restart(&mut federation).await;
    let history = federation.recorder.history();
    federation.down().await?;
    let (before, after) = told?;

    let report = check(&history);
    assert_eq!(report.violations, []);
    assert_eq!(report.counts.refused, 0);
    assert_eq!(report.counts.proposed, report.counts.acknowledged, "a write was forgotten");
    assert!(after > before, "nothing was written while servers restarted");
    let second: Vec<_> = snapshots(&history).into_iter().filter(|(_, count)| *count > 1).collect();
    assert_eq!(second, [], "a second snapshot was sent");
    Ok(())
}

/// Gives back how far the catalogue was before and after.
async fn rolling_restart(federation: &mut Federation) -> anyhow::Result<(u64, u64)> {
    federation.settle().await?;
    let before = federation.recorder.told().0;
    federation.write();
    for server in federation.servers.ids() {
        federation.servers.stop(server).await?;
        let told = federation.recorder.told();
        federation.writes_beyond(told).await?;
        federation.servers.start(server)?;
        federation.servers.ready(server).await?;
    }
    federation.settle().await?;
    Ok((before, federation.recorder.told().0))
}

/// Snapshots that each watch was sent. Operators read whole catalogues, which are no watches.
fn snapshots(history: &History) -> BTreeMap<&WatcherName, usize> {
    let mut counts = BTreeMap::new();
    for event in &history.events {
        if let Event::SnapshotBegan { watcher } = event
            && !watcher.0.starts_with("operator")
        {
            *counts.entry(watcher).or_default() += 1;
        }
    }
    counts
}
