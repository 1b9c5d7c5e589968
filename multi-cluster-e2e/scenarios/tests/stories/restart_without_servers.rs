//! All servers are gone for good, and then agents and gateways are killed and started again: they serve from what they
//! last knew.

use multi_cluster_e2e_lab::lab::Lab;
use multi_cluster_e2e_lab::wait::{Seen, until};
use multi_cluster_e2e_scenarios::{PATIENCE, answered, lab_of};

/// Waits until an agent has saved a view with what the story needs. It saves at most once a second, so that an agent
/// killed sooner knows what it knew a second before.
async fn on_disk(lab: &Lab, cluster: &str) -> anyhow::Result<()> {
    let file = lab.layout().cluster(cluster).join("data/view.lkg");
    let has = |bytes: &[u8], word: &str| bytes.windows(word.len()).any(|found| found == word.as_bytes());
    let look = || async {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let missing: Vec<&str> =
            ["echo", "whoami", "east.lab", "west.lab"].into_iter().filter(|w| !has(&bytes, w)).collect();
        Ok(if missing.is_empty() {
            Seen::Done(())
        } else {
            Seen::NotYet(format!("no {missing:?} in {}", file.display()))
        })
    };
    until(&format!("the agent of {cluster} to have saved its view"), PATIENCE, look).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_and_gateways_restart_and_serve_without_any_server() -> anyhow::Result<()> {
    let lab = lab_of(1, &["east", "west"]).await?;
    assert_eq!(answered(&lab, "east", "echo").await?, "west");
    let vip = lab.dig("east", "echo.demo.svc.clusterset.local", "A").await?.addresses();

    for cluster in &lab.topology().clusters {
        on_disk(&lab, cluster.id.as_str()).await?;
    }
    lab.stop("server-1", true).await?;
    for cluster in lab.topology().clusters.clone() {
        for name in [cluster.agent_name(), cluster.gateway_name()] {
            lab.stop(&name, true).await?;
        }
    }
    // Agents first in one cluster, gateways first in the other: neither may need the other to be there.
    let [east, west] = ["east", "west"].map(|name| lab.cluster(name));
    let (east, west) = (east?, west?);
    for name in [east.agent_name(), east.gateway_name(), west.gateway_name(), west.agent_name()] {
        lab.start(&name).await?;
    }
    for cluster in [east, west] {
        lab.ready(&cluster.agent_name(), cluster.agent_http).await?;
        lab.ready(&cluster.gateway_name(), cluster.gateway_http).await?;
    }
    assert_eq!(answered(&lab, "east", "echo").await?, "west");
    assert_eq!(answered(&lab, "east", "whoami").await?, "east");
    assert_eq!(lab.dig("east", "echo.demo.svc.clusterset.local", "A").await?.addresses(), vip, "a VIP moved");
    let hidden = lab.dig("east", "private.demo.svc.clusterset.local", "A").await?;
    assert!(hidden.is_nxdomain(), "{}", hidden.brief());
    lab.down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_restarts_and_serves_without_its_agent() -> anyhow::Result<()> {
    let lab = lab_of(1, &["east", "west"]).await?;
    let west = lab.cluster("west")?;
    lab.stop(&west.agent_name(), true).await?;
    lab.stop(&west.gateway_name(), true).await?;
    lab.start(&west.gateway_name()).await?;
    lab.ready(&west.gateway_name(), west.gateway_http).await?;
    assert_eq!(answered(&lab, "east", "echo").await?, "west");
    lab.down().await
}
