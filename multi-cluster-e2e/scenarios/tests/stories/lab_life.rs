//! The lab as a user has it: in the background, asked, changed, ended; and killed without a word. Nothing is left.

use std::path::Path;

use multi_cluster_e2e_lab::process::Status;
use multi_cluster_e2e_lab::process::proc_stat::is_alive;
use multi_cluster_e2e_lab::state::LabState;
use multi_cluster_e2e_lab::wait::{Seen, until};
use multi_cluster_e2e_scenarios::{Ended, PATIENCE, run};
use tokio::sync::Mutex;

/// A lab of the command line takes the ports that the guides name, if they are free: two that start at the same moment would
/// both find them so.
static THE_PORTS: Mutex<()> = Mutex::const_new(());

async fn lab(dir: &Path, args: &[&str]) -> anyhow::Result<Ended> {
    let dir = dir.display().to_string();
    run("isthmus-lab", &[args, &["--dir", &dir]].concat()).await
}

fn running(state: &LabState) -> Vec<(String, u32, u64)> {
    let one = |(name, process): (&String, &multi_cluster_e2e_lab::state::ProcessState)| match process.status {
        Status::Running { pid, started } => Some((name.clone(), pid, started)),
        Status::Stopped | Status::Exited { .. } => None,
    };
    state.processes.iter().filter_map(one).collect()
}

async fn all_gone(processes: &[(String, u32, u64)]) -> anyhow::Result<()> {
    let look = || async {
        let left: Vec<&String> =
            processes.iter().filter(|(_, pid, at)| is_alive(*pid, *at)).map(|(n, ..)| n).collect();
        Ok(if left.is_empty() { Seen::Done(()) } else { Seen::NotYet(format!("{left:?} still run")) })
    };
    until("all processes to be gone", PATIENCE, look).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_lab_is_used_and_ended() -> anyhow::Result<()> {
    let _alone = THE_PORTS.lock().await;
    let parent = tempfile::tempdir()?;
    let dir = parent.path().join("lab");
    let up =
        lab(&dir, &["up", "--detach", "--servers", "1", "--clusters", "east,west", "-o", "json"]).await?;
    assert_eq!(up.code, Some(0), "{}", up.said());
    let state: LabState = serde_json::from_str(&up.out)?;
    let processes = running(&state);
    assert_eq!(processes.len(), state.processes.len(), "{}", up.said());

    let again = lab(&dir, &["up", "--detach"]).await?;
    assert!(again.code == Some(1) && again.err.contains("runs in"), "{}", again.said());

    let url = "http://echo.demo.svc.clusterset.local:8080/hello";
    let curl = lab(&dir, &["curl", "east", url]).await?;
    assert!(curl.code == Some(0) && curl.out.contains(r#""path":"/hello""#), "{}", curl.said());
    let dig = lab(&dir, &["dig", "east", "peers.demo.svc.clusterset.local"]).await?;
    assert!(dig.code == Some(0) && dig.out.matches("\tA\t").count() == 2, "{}", dig.said());
    let unknown = lab(&dir, &["dig", "east", "nosuch.demo.svc.clusterset.local"]).await?;
    assert!(unknown.code == Some(1) && unknown.out.contains("NXDOMAIN"), "{}", unknown.said());

    let stop = lab(&dir, &["stop", "west-echo-1", "--hard"]).await?;
    assert_eq!(stop.code, Some(0), "{}", stop.said());
    let status = lab(&dir, &["status"]).await?;
    assert!(
        status.out.lines().any(|l| l.starts_with("west-echo-1") && l.contains("stopped")),
        "{}",
        status.said()
    );
    let failed = lab(&dir, &["curl", "east", url]).await?;
    assert_eq!(failed.code, Some(1), "{}", failed.said());
    let start = lab(&dir, &["start", "west-echo-1"]).await?;
    assert_eq!(start.code, Some(0), "{}", start.said());
    let unknown = lab(&dir, &["stop", "nosuch"]).await?;
    assert!(unknown.code == Some(1) && unknown.err.contains("west-gateway"), "{}", unknown.said());
    let logs = lab(&dir, &["logs", "east-agent", "-n", "1"]).await?;
    assert!(logs.code == Some(0) && logs.out.lines().count() == 1, "{}", logs.said());

    let mine = dir.join("clusters/east/manifests/mine.yaml");
    std::fs::write(&mine, "apiVersion: v1\nkind: Namespace\nmetadata: {name: mine}\n")?;
    let down = lab(&dir, &["down"]).await?;
    assert_eq!(down.code, Some(0), "{}", down.said());
    all_gone(&processes).await?;
    assert!(mine.exists(), "--dir keeps the user's YAML");
    let after = lab(&dir, &["status"]).await?;
    assert!(after.code == Some(1) && after.out.contains("has ended"), "{}", after.said());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_lab_leaves_nothing() -> anyhow::Result<()> {
    let _alone = THE_PORTS.lock().await;
    let parent = tempfile::tempdir()?;
    let dir = parent.path().join("lab");
    let up = lab(&dir, &["up", "--detach", "--servers", "1", "--clusters", "east", "-o", "json"]).await?;
    assert_eq!(up.code, Some(0), "{}", up.said());
    let state: LabState = serde_json::from_str(&up.out)?;
    let processes = running(&state);
    let killed =
        tokio::process::Command::new("kill").args(["-9", &state.supervisor.to_string()]).status().await?;
    assert!(killed.success());
    all_gone(&processes).await
}
