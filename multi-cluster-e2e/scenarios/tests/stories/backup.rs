//! All servers are lost for good. New ones at other addresses begin with a backup: what was acknowledged before it is
//! there before any agent comes back, nobody goes back in time, and everything goes on.

use multi_cluster_e2e_history::check;
use multi_cluster_e2e_torture::federation::{Federation, Plan};

#[tokio::test(flavor = "multi_thread")]
async fn new_servers_at_other_addresses_go_on_from_a_backup() -> anyhow::Result<()> {
    let mut federation = Federation::up(&Plan::default()).await?;
    let moved = move_house(&mut federation).await;
    let history = federation.recorder.history();
    federation.down().await?;
    let (before, after) = moved?;

    let report = check(&history);
    assert_eq!(report.violations, []);
    assert_eq!(report.counts.proposed, report.counts.acknowledged, "a write was forgotten");
    assert!(after > before, "nothing was written to the new servers");
    Ok(())
}

/// Gives back how far the catalogue was when the old servers ended, and in the end.
async fn move_house(federation: &mut Federation) -> anyhow::Result<(u64, u64)> {
    federation.write();
    let begun = federation.recorder.told();
    federation.writes_beyond(begun).await?;
    federation.settle().await?;
    let backup = federation.servers.directory().join("catalogue.backup");
    federation.servers.isthmus(&["snapshot", "save", &backup.display().to_string()]).await?;
    federation.move_to(&backup, &[4, 5, 6]).await?;
    let before = federation.recorder.told();
    federation.write();
    federation.writes_beyond(before).await?;
    federation.settle().await?;
    Ok((before.0, federation.recorder.told().0))
}
