//! Names resolve by the cluster's own DNS server: a VIP in the cluster's view, the port by SRV, the pods of a headless
//! service; and nothing else.

use std::net::IpAddr;

use anyhow::ensure;

use crate::check::stage::{EAST, Stage, host};
use crate::topology::SERVICE_PORT;

pub(in crate::check) async fn run(stage: &Stage) -> anyhow::Result<String> {
    let lab = &stage.lab;
    let east = lab.cluster(EAST)?;
    let echo = host("echo");

    let a = lab.dig(EAST, &echo, "A").await?;
    let addresses = a.addresses();
    let in_view = |ip: &IpAddr| matches!(ip, IpAddr::V4(v4) if v4.octets().starts_with(&[127, east.octet]));
    ensure!(
        addresses.len() == 1 && addresses.iter().all(in_view),
        "A {echo}: {}, and not one address of {}",
        a.brief(),
        east.vip_view()
    );
    let aaaa = lab.dig(EAST, &echo, "AAAA").await?;
    ensure!(
        aaaa.status == "NOERROR" && aaaa.records.is_empty(),
        "AAAA {echo}: {}, and not an empty answer",
        aaaa.brief()
    );

    let srv = lab.dig(EAST, &format!("_http._tcp.{echo}"), "SRV").await?;
    let wanted = format!(" {SERVICE_PORT} {echo}.");
    ensure!(
        srv.records.iter().any(|r| r.kind == "SRV" && r.data.ends_with(&wanted)),
        "SRV _http._tcp.{echo}: {}, and not port {SERVICE_PORT} of {echo}",
        srv.brief()
    );

    let peers = lab.dig(EAST, &host("peers"), "A").await?;
    let mut found = peers.addresses();
    let mut pods: Vec<IpAddr> =
        lab.topology().clusters.iter().flat_map(|c| c.backends_of("peers")).map(|b| b.address.ip()).collect();
    found.sort();
    pods.sort();
    ensure!(found == pods, "A {} gives {found:?}, and the pods are {pods:?}", host("peers"));

    let unknown = lab.dig(EAST, &host("nosuch"), "A").await?;
    ensure!(unknown.is_nxdomain(), "a name that nobody exports gives {}", unknown.brief());
    Ok(format!(
        "{echo} is {} by A in {}.{} ms, port {SERVICE_PORT} by SRV, nothing by AAAA; headless peers gives its {} pods; \
         an unknown name is NXDOMAIN",
        a.brief(),
        a.micros / 1000,
        a.micros % 1000 / 100,
        pods.len()
    ))
}
