//! What the steps share: the parts that clusters play, and the few things that are tried again and again.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::caller::{Call, Way};
use super::place::KindLab;
use crate::samples::NAMESPACE;
use crate::wait::{Seen, until};

/// How long a promised change may take to be seen: kubelets look at probes every second, and CoreDNS keeps a denial for
/// as long.
pub(super) const SOON: Duration = Duration::from_secs(30);
/// The cluster that calls.
pub(super) const EAST: &str = "east";
/// The cluster that answers.
pub(super) const WEST: &str = "west";
/// The cluster that may see more than the first.
pub(super) const SOUTH: &str = "south";
/// Where Isthmus is.
pub(super) const SYSTEM: &str = "isthmus-system";

/// The lab, and who plays which part.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) lab: KindLab,
}

/// The name of a sample service.
pub(super) fn host(service: &str) -> String {
    format!("{service}.{NAMESPACE}.svc.clusterset.local")
}

/// Its URL.
pub(super) fn url(service: &str) -> String {
    format!("http://{}/tour", host(service))
}

impl Stage {
    pub(super) fn new(lab: KindLab) -> Self {
        Self { lab }
    }

    /// The tour needs its three clusters.
    pub(super) fn require_clusters(&self) -> anyhow::Result<()> {
        for name in [EAST, WEST, SOUTH] {
            ensure!(
                self.lab.clusters.iter().any(|cluster| cluster == name),
                "the tour is for a lab of {EAST}, {WEST} and {SOUTH}, and this one has {}",
                self.lab.clusters.join(", ")
            );
        }
        Ok(())
    }

    /// Calls from the first cluster, all of which must be answered; gives back who answered each.
    pub(super) async fn answers(&self, service: &str, way: Way, times: u32) -> anyhow::Result<Vec<Call>> {
        let calls = self.lab.curl(EAST, way, &url(service), times).await?;
        for (index, call) in calls.iter().enumerate() {
            let number = index + 1;
            if let Err(problem) = &call.answer {
                anyhow::bail!("call {number} of {times} to {service} from {EAST} failed: {problem}");
            }
        }
        Ok(calls)
    }

    /// The same, and all by one cluster. Gives back the slowest call's milliseconds.
    pub(super) async fn all_by(
        &self,
        service: &str,
        cluster: &str,
        way: Way,
        times: u32,
    ) -> anyhow::Result<u64> {
        let calls = self.answers(service, way, times).await?;
        for call in &calls {
            let by = by(call)?;
            ensure!(by == cluster, "{service} was answered by {by}, and not by {cluster}");
        }
        Ok(calls.iter().map(|call| call.millis).max().unwrap_or(0))
    }

    /// Calls until a cluster answers for which `moved` holds; every call must be answered. Gives back how many calls that
    /// were, and how long after `began`.
    pub(super) async fn answers_move(
        &self,
        service: &str,
        moved: impl Fn(&str) -> bool,
        began: Instant,
    ) -> anyhow::Result<(usize, Duration)> {
        let mut calls = 0;
        while began.elapsed() < SOON {
            for call in self.answers(service, Way::Exec, 5).await? {
                calls += 1;
                if moved(by(&call)?) {
                    return Ok((calls, began.elapsed()));
                }
            }
        }
        anyhow::bail!(
            "{calls} calls to {service} in {} s, and the cluster that answers did not change",
            SOON.as_secs()
        )
    }

    /// Calls until one is answered, whatever goes wrong before.
    pub(super) async fn becomes_callable(&self, service: &str) -> anyhow::Result<Duration> {
        let look = || async { Ok(Seen::from_result(self.answers(service, Way::Exec, 1).await)) };
        Ok(until(&format!("{EAST} to be answered by {service}"), SOON, look).await?.1)
    }

    /// Waits until a name does not exist in the first cluster.
    pub(super) async fn becomes_unknown(&self, service: &str) -> anyhow::Result<Duration> {
        let look = || async {
            let dug = self.lab.dig(EAST, Way::Exec, &host(service), "A").await?;
            Ok(if dug.is_nxdomain() { Seen::Done(()) } else { Seen::NotYet(dug.brief()) })
        };
        Ok(until(&format!("{} to be NXDOMAIN in {EAST}", host(service)), SOON, look).await?.1)
    }

    /// Exports a service of the second cluster.
    pub(super) async fn export(&self, service: &str) -> anyhow::Result<()> {
        let yaml = format!(
            "apiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceExport\nmetadata:\n  name: {service}\n  namespace: \
             {NAMESPACE}\n"
        );
        self.lab.apply(WEST, &yaml).await
    }

    /// Takes the export back.
    pub(super) async fn unexport(&self, service: &str) -> anyhow::Result<()> {
        self.lab
            .kubectl(WEST, &["-n", NAMESPACE, "delete", "serviceexport", service, "--ignore-not-found"])
            .await?;
        Ok(())
    }

    /// The virtual address of a service.
    pub(super) async fn address(&self, service: &str) -> anyhow::Result<String> {
        let dug = self.lab.dig(EAST, Way::Exec, &host(service), "A").await?;
        Ok(dug
            .addresses()
            .first()
            .with_context(|| format!("{service} has no address: {}", dug.brief()))?
            .to_string())
    }

    /// All federation servers to `replicas` each: 0 or 1.
    pub(super) async fn scale_servers(&self, replicas: u8) -> anyhow::Result<()> {
        let scale = format!("--replicas={replicas}");
        for cluster in &self.lab.clusters {
            self.lab.kubectl(cluster, &["-n", SYSTEM, "scale", "statefulset/isthmus-server", &scale]).await?;
        }
        for cluster in &self.lab.clusters {
            let wait: &[&str] = if replicas == 0 {
                &["wait", "--for=delete", "pod/isthmus-server-0", "--timeout=180s"]
            } else {
                &["rollout", "status", "statefulset/isthmus-server", "--timeout=180s"]
            };
            self.lab.kubectl(cluster, &[&["-n", SYSTEM], wait].concat()).await?;
        }
        Ok(())
    }
}

/// Which cluster answered.
pub(super) fn by(call: &Call) -> anyhow::Result<&str> {
    match &call.answer {
        Ok(answer) => Ok(&answer.cluster),
        Err(problem) => anyhow::bail!("nobody answered: {problem}"),
    }
}
