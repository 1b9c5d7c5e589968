//! Join tokens that are used up, out of date, of another clusterset, or for another cluster: the agent does not join,
//! and says why.

use std::ffi::OsString;

use multi_cluster_e2e_lab::ca;
use multi_cluster_e2e_lab::lab::Lab;
use multi_cluster_e2e_lab::layout::make_private;
use multi_cluster_e2e_lab::ports::{PortChoice, Ports};
use multi_cluster_e2e_lab::render::agent::agent_toml;
use multi_cluster_e2e_lab::topology::ClusterPlace;
use multi_cluster_e2e_lab::wait::{Seen, until};
use multi_cluster_e2e_scenarios::{PATIENCE, answered, small_lab};

/// Starts an agent of cluster `north` with a token, and waits until its log has one of `words`.
async fn joins_with(lab: &Lab, name: &str, token: &str, words: &[&str]) -> anyhow::Result<String> {
    let local = lab.cluster("east")?.dns.ip();
    let mut ports = Ports::new(PortChoice::Random);
    let north = ClusterPlace {
        id: "north".parse()?,
        manifests: lab.layout().manifests(name),
        dns: ports.pick(local, 0)?,
        agent_http: ports.pick(local, 0)?,
        agent_socket: lab.layout().agent_socket(name),
        gateway: ports.pick(local, 0)?,
        ..lab.cluster("east")?.clone()
    };
    make_private(&north.manifests)?;
    let dir = lab.layout().cluster(name);
    // A data directory of its own for each attempt: a new joiner with a new key.
    let config = agent_toml(lab.layout(), lab.topology(), &north, Vec::new())?;
    let shared = lab.layout().cluster("north").display().to_string();
    let config = config.replace(&shared, &dir.display().to_string());
    std::fs::write(dir.join("agent.toml"), config)?;
    std::fs::write(dir.join("join-token"), token)?;
    let args = vec![OsString::from("--config"), dir.join("agent.toml").into()];
    lab.launch(name, lab.binaries().program("isthmus-agent")?, args)?;
    let look = || async {
        let log = std::fs::read_to_string(lab.layout().log(name)).unwrap_or_default();
        let found = words.iter().any(|word| log.contains(word));
        Ok(if found { Seen::Done(log) } else { Seen::NotYet(log) })
    };
    let (log, _) = until(&format!("{name} to say one of {words:?}"), PATIENCE, look).await?;
    Ok(log)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_once_in_time_for_its_cluster_and_here() -> anyhow::Result<()> {
    let lab = small_lab().await?;
    let operator = lab.operator()?;
    let north = "north".parse()?;

    let good = operator.create_token(&north, 600).await?.token;
    joins_with(&lab, "first", &good, &["joined"]).await?;
    lab.stop("first", true).await?;
    joins_with(&lab, "reused", &good, &["used"]).await?;

    let brief = operator.create_token(&north, 1).await?;
    let expired = || async {
        let now = operator.catalog(None).await?.leader_time;
        Ok(if now > brief.expires { Seen::Done(()) } else { Seen::NotYet(now.to_string()) })
    };
    until("the token to run out", PATIENCE, expired).await?;
    joins_with(&lab, "late", &brief.token, &["expired"]).await?;

    let other = operator.create_token(&"south".parse()?, 600).await?.token;
    joins_with(&lab, "impostor", &other, &["south"]).await?;

    // A token of another clusterset pins another authority: the agent must not even show it to these servers.
    let (begin, _) = good.rsplit_once('.').unwrap_or_default();
    let foreign = ca::new_authority(&lab.topology().clusterset)?.fingerprint_hex();
    joins_with(
        &lab,
        "foreign",
        &format!("{begin}.{foreign}"),
        &["authority", "certificate", "UnknownIssuer"],
    )
    .await?;

    assert_eq!(answered(&lab, "east", "echo").await?, "west", "somebody else was disturbed");
    lab.down().await
}
