//! Names resolve in every cluster by its own CoreDNS: one virtual address for all of them, the port by SRV, the pods of a
//! headless service with names of their own; and nothing else.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::ensure;

use crate::kind::caller::Way;
use crate::kind::stage::{EAST, SOUTH, Stage, host};
use crate::samples::NAMESPACE;
use crate::wait::{Seen, until};

/// CoreDNS looks at its file every half minute, and the kubelet refreshes that every minute or so.
const RELOADED: Duration = Duration::from_secs(150);
/// Answers in a row, so that each of CoreDNS's two pods is likely to have given one.
const ROW: usize = 10;

pub(in crate::kind) async fn run(stage: &Stage) -> anyhow::Result<String> {
    let lab = &stage.lab;
    let mut found = BTreeSet::new();
    for cluster in &lab.clusters {
        let look = || async {
            let mut same = BTreeSet::new();
            for _ in 0..ROW {
                let dug = lab.dig(cluster, Way::Exec, &host("echo"), "A").await?;
                match dug.addresses().as_slice() {
                    [address] => same.insert(*address),
                    _ => return Ok(Seen::NotYet(dug.brief())),
                };
            }
            Ok(Seen::Done(same))
        };
        found.extend(until(&format!("one address of echo in {cluster}"), RELOADED, look).await?.0);
    }
    ensure!(
        found.len() == 1,
        "echo has {} addresses in the clusters, and not the same in all: {found:?}",
        found.len()
    );

    let srv = lab.dig(EAST, Way::Exec, &format!("_http._tcp.{}", host("echo")), "SRV").await?;
    let wanted = format!(" 80 {}.", host("echo"));
    ensure!(
        srv.data.iter().any(|data| data.ends_with(&wanted)),
        "SRV of echo: {}, and not port 80",
        srv.brief()
    );

    let jsonpath = "jsonpath={.items[*].status.podIP}";
    let pods =
        lab.kubectl(SOUTH, &["-n", NAMESPACE, "get", "pods", "-l", "app=nodes", "-o", jsonpath]).await?;
    let mut pods: Vec<IpAddr> = pods.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    pods.sort();
    let nodes = lab.dig(EAST, Way::Exec, &host("nodes"), "A").await?;
    ensure!(nodes.addresses() == pods, "headless nodes: {}, and its pods are {pods:?}", nodes.brief());
    let one = lab.dig(EAST, Way::Exec, &format!("nodes-0.{SOUTH}.{}", host("nodes")), "A").await?;
    let known = matches!(one.addresses().as_slice(), [address] if pods.contains(address));
    ensure!(known, "nodes-0 of {SOUTH}: {}, and not one of {pods:?}", one.brief());

    let unknown = lab.dig(EAST, Way::Exec, &host("nosuch"), "A").await?;
    ensure!(unknown.is_nxdomain(), "a name that nobody exports gives {}", unknown.brief());
    let local = lab.dig(EAST, Way::Exec, &format!("caller.{NAMESPACE}.svc.cluster.local"), "A").await?;
    ensure!(!local.addresses().is_empty(), "names of the cluster itself are broken: {}", local.brief());
    Ok(format!(
        "echo is {found:?} in {}, port 80 by SRV; headless nodes gives its {} pods, and nodes-0.{SOUTH} one of them; an \
         unknown name is NXDOMAIN, and the cluster's own names still resolve",
        lab.clusters.join(", "),
        pods.len()
    ))
}
