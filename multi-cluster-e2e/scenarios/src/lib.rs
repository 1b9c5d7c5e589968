//! Stories with a beginning and an end, told by real processes: one file for each in `tests/stories`.
//!
//! Owns: what several stories need: running a program to its end, and a lab small enough to start for one story.
//!
//! Must never: look inside a daemon, share a lab between stories, or leave anything behind.
//!
//! The programs must have been built before: `make test` does, with `cargo build --workspace`.
//!
//! Tests: this whole crate.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use multi_cluster_e2e_lab::binaries::Binaries;
use multi_cluster_e2e_lab::lab::Lab;
use multi_cluster_e2e_lab::plan::LabSpec;
use multi_cluster_e2e_lab::ports::PortChoice;
use multi_cluster_e2e_lab::wait::{Seen, until};
use tokio::process::Command;

/// How long a story waits for anything that it was promised.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One server, and clusters east and west: enough for most stories.
pub async fn small_lab() -> anyhow::Result<Arc<Lab>> {
    lab_of(1, &["east", "west"]).await
}

/// A lab on random ports in a directory of its own.
pub async fn lab_of(servers: usize, clusters: &[&str]) -> anyhow::Result<Arc<Lab>> {
    let clusters = clusters.iter().map(|id| id.parse()).collect::<Result<Vec<_>, _>>()?;
    Lab::temporary(LabSpec { servers, clusters, ports: PortChoice::Random, ..LabSpec::default() }).await
}

/// What a program that ran to its end did.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Its exit code; absent if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ended {
    /// Both outputs, for messages of failed assertions.
    pub fn said(&self) -> String {
        format!("exit code {:?}\n{}{}", self.code, self.out, self.err)
    }
}

/// Runs one of our programs until it ends by itself.
pub async fn run(program: &str, args: &[&str]) -> anyhow::Result<Ended> {
    let path = Binaries::locate()?.program(program)?;
    let running = Command::new(path).args(args).kill_on_drop(true).output();
    let ended = tokio::time::timeout(PATIENCE, running)
        .await
        .with_context(|| format!("{program} {args:?} did not end"))??;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Ended { code: ended.status.code(), out: text(&ended.stdout), err: text(&ended.stderr) })
}

/// Runs a daemon with a configuration until it ends by itself.
pub async fn run_daemon(program: &str, config: &Path) -> anyhow::Result<Ended> {
    run(program, &["--config", &config.display().to_string()]).await
}

/// Waits until a daemon's `/status` is what `wanted` looks for; gives back what that saw.
pub async fn status_says<T>(
    lab: &Lab,
    at: SocketAddr,
    what: &str,
    wanted: impl Fn(&serde_json::Value) -> Option<T>,
) -> anyhow::Result<T> {
    let look = || async {
        Ok(match lab.observer().status(at).await {
            Ok(status) => wanted(&status).map_or_else(|| Seen::NotYet(status.to_string()), Seen::Done),
            Err(error) => Seen::NotYet(format!("{error:#}")),
        })
    };
    Ok(until(what, PATIENCE, look).await?.0)
}

/// Waits until `from` is answered by `service`; gives back the cluster that answered.
pub async fn answered(lab: &Lab, from: &str, service: &str) -> anyhow::Result<String> {
    let url = format!("http://{service}.demo.svc.clusterset.local:8080/");
    let look =
        || async { Ok(Seen::from_result(lab.curl(from, &url).await.and_then(|answer| answer.backend()))) };
    let (answer, _) = until(&format!("{from} to be answered by {service}"), PATIENCE, look).await?;
    Ok(answer.cluster)
}
