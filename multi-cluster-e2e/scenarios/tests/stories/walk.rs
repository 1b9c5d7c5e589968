//! An operator grows a federation from one server to three to five, and shrinks it to three again, while clusters
//! publish and watch: with the commands of docs/runbooks/servers.md, and no others.

use multi_cluster_e2e_history::check;
use multi_cluster_e2e_torture::federation::{Federation, Plan};

#[tokio::test(flavor = "multi_thread")]
async fn a_federation_grows_from_one_to_five_and_shrinks_to_three_under_load() -> anyhow::Result<()> {
    let mut federation = Federation::up(&Plan { servers: 1, restless: true, ..Plan::default() }).await?;
    let walked = walk(&mut federation).await;
    let history = federation.recorder.history();
    federation.down().await?;
    walked?;

    let report = check(&history);
    assert_eq!(report.violations, []);
    assert_eq!(report.counts.refused, 0);
    assert_eq!(report.counts.proposed, report.counts.acknowledged, "a write was forgotten");
    Ok(())
}

async fn walk(federation: &mut Federation) -> anyhow::Result<()> {
    for server in 2..=5 {
        let told = federation.recorder.told();
        federation.add_server(server).await?;
        federation.writes_beyond(told).await?;
    }
    voters(federation, &[1, 2, 3, 4, 5]).await?;
    // The first and the last to come: whoever leads, and one more.
    for server in [1, 5] {
        let told = federation.recorder.told();
        federation.remove_server(server).await?;
        federation.writes_beyond(told).await?;
    }
    voters(federation, &[2, 3, 4]).await?;
    federation.settle().await
}

async fn voters(federation: &Federation, expected: &[u64]) -> anyhow::Result<()> {
    let listed = federation.servers.isthmus(&["members", "list", "-o", "json"]).await?;
    let listed: serde_json::Value = serde_json::from_str(&listed)?;
    let mut voters: Vec<u64> = listed["members"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|member| member["role"] != "learner")
        .filter_map(|member| member["id"].as_u64())
        .collect();
    voters.sort_unstable();
    assert_eq!(voters, expected, "{listed}");
    Ok(())
}
