//! Somebody starts a second agent for a cluster that has one: it is refused, and the first goes on. When the first is
//! gone and its lease has run out, the second takes over.

use std::ffi::OsString;

use multi_cluster_e2e_lab::layout::make_private;
use multi_cluster_e2e_lab::ports::{PortChoice, Ports};
use multi_cluster_e2e_lab::render::agent::agent_toml;
use multi_cluster_e2e_lab::topology::ClusterPlace;
use multi_cluster_e2e_scenarios::{answered, small_lab, status_says};

#[tokio::test(flavor = "multi_thread")]
async fn only_one_agent_speaks_for_a_cluster() -> anyhow::Result<()> {
    let lab = small_lab().await?;
    let west = lab.cluster("west")?;
    let local = lab.cluster("east")?.dns.ip();
    let mut ports = Ports::new(PortChoice::Random);
    let second = ClusterPlace {
        dns: ports.pick(local, 0)?,
        agent_http: ports.pick(local, 0)?,
        agent_socket: lab.layout().agent_socket("west-2"),
        ..west.clone()
    };
    let dir = lab.layout().root().join("second");
    make_private(&dir)?;
    let token = lab.operator()?.create_token(&west.id, 60).await?.token;
    std::fs::write(dir.join("join-token"), token)?;
    // The same configuration as the first agent's, but for what two processes on one machine cannot share.
    let first_dir = lab.layout().cluster("west");
    let config = agent_toml(lab.layout(), lab.topology(), &second, Vec::new())?;
    let config = config
        .replace(&first_dir.join("data").display().to_string(), &dir.join("data").display().to_string());
    let config = config.replace(
        &first_dir.join("join-token").display().to_string(),
        &dir.join("join-token").display().to_string(),
    );
    std::fs::write(dir.join("agent.toml"), config)?;
    let args = vec![OsString::from("--config"), dir.join("agent.toml").into()];
    lab.launch("west-agent-2", lab.binaries().program("isthmus-agent")?, args)?;

    let refused =
        |status: &serde_json::Value| status.to_string().contains("held by another agent").then_some(());
    status_says(&lab, second.agent_http, "the second agent to be told why it is refused", refused).await?;
    assert_eq!(answered(&lab, "east", "echo").await?, "west", "the first agent's cluster was disturbed");

    lab.stop(&west.agent_name(), true).await?;
    let committed = |status: &serde_json::Value| {
        let exports = status["exports"].as_array()?;
        (!exports.is_empty() && exports.iter().all(|e| e["state"] == "committed")).then_some(())
    };
    status_says(&lab, second.agent_http, "the second agent to take over", committed).await?;
    lab.down().await
}
