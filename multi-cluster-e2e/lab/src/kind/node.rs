//! Killing things, and bringing them back: by the node, so also when there is no API server.

use std::time::Duration;

use anyhow::ensure;

use super::place::KindLab;
use crate::wait::{Seen, until};

/// How long a static pod may take to go or to come back.
const PATIENCE: Duration = Duration::from_secs(120);
/// Where the kubelet looks for the API server's pod, and where it does not.
const MANIFEST: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";
const ASIDE: &str = "/etc/kubernetes/kube-apiserver.yaml";

impl KindLab {
    /// Kills (-9) one process of a program on a cluster's node, and waits until the kubelet has started another. The
    /// oldest process is chosen.
    pub(super) async fn kill(&self, cluster: &str, program: &str) -> anyhow::Result<()> {
        let before = self.processes(cluster, program).await?;
        ensure!(!before.is_empty(), "no {program} runs in {cluster}");
        let count = before.len();
        self.on_node(cluster, &["pkill", "-9", "-o", "-x", "-f", &pattern(program)]).await?.done("pkill")?;
        let look = || async {
            let now = self.processes(cluster, program).await?;
            let again = now.len() == count && now != before;
            Ok(if again { Seen::Done(()) } else { Seen::NotYet(format!("{now:?}")) })
        };
        until(&format!("the kubelet of {cluster} to start {program} again"), PATIENCE, look).await?;
        Ok(())
    }

    async fn processes(&self, cluster: &str, program: &str) -> anyhow::Result<Vec<String>> {
        let said = self.on_node(cluster, &["pgrep", "-x", "-f", &pattern(program)]).await?;
        Ok(said.out.lines().map(str::to_owned).collect())
    }

    /// Takes a cluster's API server away.
    pub(super) async fn stop_api_server(&self, cluster: &str) -> anyhow::Result<()> {
        self.on_node(cluster, &["mv", MANIFEST, ASIDE]).await?.done("the manifest of the API server")?;
        let look = || async {
            let said = self.on_node(cluster, &["pgrep", "-x", "kube-apiserver"]).await?;
            Ok(if said.ok { Seen::NotYet(format!("process {}", said.out.trim())) } else { Seen::Done(()) })
        };
        until(&format!("the API server of {cluster} to be gone"), PATIENCE, look).await?;
        Ok(())
    }

    /// Brings it back, if it was taken away.
    pub(super) async fn start_api_server(&self, cluster: &str) -> anyhow::Result<()> {
        let back = format!("[ ! -f {ASIDE} ] || mv {ASIDE} {MANIFEST}");
        self.on_node(cluster, &["sh", "-c", &back]).await?.done("the manifest of the API server")?;
        let look = || async {
            let said = self.run_kubectl(cluster, &["get", "--raw", "/readyz"], "").await?;
            Ok(if said.ok { Seen::Done(()) } else { Seen::NotYet(said.err) })
        };
        until(&format!("the API server of {cluster} to be ready"), PATIENCE, look).await?;
        Ok(())
    }
}

/// The whole command line of a daemon in its pod.
fn pattern(program: &str) -> String {
    format!("/usr/local/bin/{program} --config=.*")
}
