//! Child processes: `kubectl` and `docker`, bounded in time, with what they said if they fail.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::place::{KindLab, context_of, node_of};

/// How long one command may take.
const PATIENCE: Duration = Duration::from_secs(200);

/// What a finished command has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// Whether its exit code was 0.
    pub(super) ok: bool,
    /// Its standard output.
    pub(super) out: String,
    /// Its standard error.
    pub(super) err: String,
}

impl Said {
    /// The output of a command that succeeded.
    pub(super) fn done(self, what: &str) -> anyhow::Result<String> {
        if !self.ok {
            bail!("{what}: {}{}", self.err.trim(), self.out.trim());
        }
        Ok(self.out)
    }
}

impl KindLab {
    /// Runs `kubectl` for one cluster.
    pub(super) async fn kubectl(&self, cluster: &str, arguments: &[&str]) -> anyhow::Result<String> {
        self.run_kubectl(cluster, arguments, "")
            .await?
            .done(&format!("kubectl {} in {cluster}", arguments.join(" ")))
    }

    /// Applies YAML.
    pub(super) async fn apply(&self, cluster: &str, yaml: &str) -> anyhow::Result<()> {
        self.run_kubectl(cluster, &["apply", "-f", "-"], yaml)
            .await?
            .done(&format!("kubectl apply in {cluster}"))?;
        Ok(())
    }

    /// The same, with `input`, whatever comes of it.
    pub(super) async fn run_kubectl(
        &self,
        cluster: &str,
        arguments: &[&str],
        input: &str,
    ) -> anyhow::Result<Said> {
        let mut command = Command::new(&self.kubectl);
        command
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(["--context", &context_of(cluster)])
            .args(arguments);
        run(command, input).await
    }

    /// Runs a command on the node of a cluster, as its root.
    pub(super) async fn on_node(&self, cluster: &str, arguments: &[&str]) -> anyhow::Result<Said> {
        let mut command = Command::new("docker");
        command.args(["--host", &self.docker_host, "exec", &node_of(cluster)]).args(arguments);
        run(command, "").await
    }

    /// The address of the node of a cluster, as pods of the others dial it.
    pub(super) async fn node_address(&self, cluster: &str) -> anyhow::Result<String> {
        let mut command = Command::new("docker");
        let format = "{{(index .NetworkSettings.Networks \"kind\").IPAddress}}";
        command.args(["--host", &self.docker_host, "inspect", "--format", format, &node_of(cluster)]);
        Ok(run(command, "").await?.done("docker inspect")?.trim().to_owned())
    }
}

async fn run(mut command: Command, input: &str) -> anyhow::Result<Said> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    command.kill_on_drop(true).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot run {program}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends without reading closes the pipe; its exit code says the rest.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output());
    let output = output.await.with_context(|| format!("{program} does not end"))??;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Said { ok: output.status.success(), out: text(&output.stdout), err: text(&output.stderr) })
}
