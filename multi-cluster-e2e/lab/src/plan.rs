//! From what was asked for to where everything stands: ports, loopback blocks, sample backends.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, ensure};
use federation_model::ClusterId;

use crate::layout::Layout;
use crate::loopback::LoopbackBlock;
use crate::ports::{PortChoice, Ports};
use crate::samples::samples;
use crate::topology::{BackendPlace, CLUSTERSET, ClusterPlace, EnvoyPlace, ServerPlace, Topology, Trust};

/// Most servers and most clusters of one lab: what one machine can bear.
const MAX_SERVERS: usize = 7;
const MAX_CLUSTERS: usize = 10;

/// What was asked for.
#[derive(Debug, Clone)]
pub struct LabSpec {
    /// Federation servers, an odd number.
    pub servers: usize,
    /// Cluster ids, each once.
    pub clusters: Vec<ClusterId>,
    /// One real Envoy per cluster.
    pub envoy: bool,
    /// Where the clusters' authorities come from.
    pub trust: Trust,
    /// Which ports.
    pub ports: PortChoice,
}

impl Default for LabSpec {
    /// Three servers, and the clusters east, west and south, without Envoy.
    fn default() -> Self {
        let clusters = ["east", "west", "south"].iter().filter_map(|id| id.parse().ok()).collect();
        Self { servers: 3, clusters, envoy: false, trust: Trust::Separate, ports: PortChoice::Defaults }
    }
}

/// Decides every address. The blocks must live as long as the lab. `before` is what an earlier lab in the same
/// directory used: its backends' addresses are written in YAML that the user may have edited, so they are used again.
pub fn plan(
    spec: &LabSpec,
    layout: &Layout,
    before: Option<&Topology>,
) -> anyhow::Result<(Topology, Vec<LoopbackBlock>)> {
    ensure!(
        (1..=MAX_SERVERS).contains(&spec.servers) && spec.servers % 2 == 1,
        "--servers must be odd and at most {MAX_SERVERS}, so that a majority is well defined; it is {}",
        spec.servers
    );
    ensure!(
        (1..=MAX_CLUSTERS).contains(&spec.clusters.len()),
        "--clusters must name 1 to {MAX_CLUSTERS} clusters; it names {}",
        spec.clusters.len()
    );
    for (index, id) in spec.clusters.iter().enumerate() {
        ensure!(!spec.clusters.iter().take(index).any(|other| other == id), "--clusters names {id} twice");
    }
    let blocks = LoopbackBlock::claim(spec.clusters.len(), spec.ports)?;
    let local = local_address(spec.ports, blocks.first().context("a lab without clusters")?);
    let mut ports = Ports::new(spec.ports);
    let mut servers = Vec::new();
    for id in 1..=u16::try_from(spec.servers)? {
        let base = 7400 + 10 * (id - 1);
        servers.push(ServerPlace {
            id: u64::from(id),
            api: ports.pick(local, base)?,
            raft: ports.pick(local, base + 1)?,
            http: ports.pick(local, base + 2)?,
        });
    }
    let mut clusters = Vec::new();
    for ((index, id), block) in spec.clusters.iter().enumerate().zip(&blocks) {
        let mut cluster = place_cluster(&mut ports, layout, local, index, id, block.octet())?;
        cluster.envoy = if spec.envoy { Some(place_envoy(&mut ports, local, index)?) } else { None };
        cluster.backends = match before.and_then(|before| before.clusters.iter().find(|c| &c.id == id)) {
            Some(earlier) => earlier.backends.clone(),
            None => place_backends(&mut ports, index, id, block.octet(), &spec.clusters)?,
        };
        clusters.push(cluster);
    }
    Ok((Topology { clusterset: CLUSTERSET.parse()?, trust: spec.trust, servers, clusters }, blocks))
}

/// Where daemons listen. Labs that run side by side each have an address of their own, out of a block that no other lab
/// has: between the probe of a port and its use, no other lab can take it.
fn local_address(choice: PortChoice, block: &LoopbackBlock) -> IpAddr {
    match choice {
        PortChoice::Defaults => Ipv4Addr::LOCALHOST.into(),
        PortChoice::Random => Ipv4Addr::new(127, block.octet(), 253, 1).into(),
    }
}

/// The default ports of a design document, moved by a hundred for each cluster.
fn shifted(base: u16, index: usize) -> u16 {
    let by = u16::try_from(index).unwrap_or(0).saturating_mul(100);
    base.saturating_add(by)
}

fn place_cluster(
    ports: &mut Ports,
    layout: &Layout,
    local: IpAddr,
    index: usize,
    id: &ClusterId,
    octet: u8,
) -> anyhow::Result<ClusterPlace> {
    Ok(ClusterPlace {
        id: id.clone(),
        octet,
        manifests: layout.manifests(id.as_str()),
        dns: ports.pick(local, shifted(15053, index))?,
        agent_http: ports.pick(local, shifted(15014, index))?,
        agent_socket: layout.agent_socket(id.as_str()),
        gateway: ports.pick(local, shifted(15443, index))?,
        gateway_http: ports.pick(local, shifted(15020, index))?,
        envoy: None,
        backends: Vec::new(),
    })
}

fn place_envoy(ports: &mut Ports, local: IpAddr, index: usize) -> anyhow::Result<EnvoyPlace> {
    Ok(EnvoyPlace {
        outbound: ports.pick(local, shifted(15001, index))?,
        admin: ports.pick(local, shifted(15000, index))?,
    })
}

fn place_backends(
    ports: &mut Ports,
    index: usize,
    id: &ClusterId,
    octet: u8,
    clusters: &[ClusterId],
) -> anyhow::Result<Vec<BackendPlace>> {
    let mut backends = Vec::new();
    let mut pod = 0;
    for sample in samples(index, clusters) {
        // The pods of one service share a port, as the ports of an EndpointSlice do.
        let first = ports.pick(ClusterPlace::pod_address(octet, pod), 8080)?;
        for number in 1..=sample.pods {
            backends.push(BackendPlace {
                cluster: id.clone(),
                service: sample.name.to_owned(),
                pod: format!("{}-{number}", sample.name),
                address: (ClusterPlace::pod_address(octet, pod), first.port()).into(),
            });
            pod = pod.checked_add(1).context("too many sample pods")?;
        }
    }
    Ok(backends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Keep;
    use std::collections::BTreeSet;

    fn layout() -> (tempfile::TempDir, Layout) {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path(), Keep::Yes).unwrap();
        (dir, layout)
    }

    #[test]
    fn nothing_shares_an_address() {
        let (_dir, layout) = layout();
        let spec = LabSpec { envoy: true, ports: PortChoice::Random, ..LabSpec::default() };
        let (topology, _blocks) = plan(&spec, &layout, None).unwrap();
        let mut all = Vec::new();
        all.extend(topology.servers.iter().flat_map(|s| [s.api, s.raft, s.http]));
        for cluster in &topology.clusters {
            all.extend([cluster.dns, cluster.agent_http, cluster.gateway, cluster.gateway_http]);
            all.extend(cluster.envoy.iter().flat_map(|e| [e.outbound, e.admin]));
            all.extend(cluster.backends.iter().map(|b| b.address));
        }
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn a_request_that_makes_no_sense_is_refused_in_words() {
        let (_dir, layout) = layout();
        let refused = |spec: LabSpec| plan(&spec, &layout, None).unwrap_err().to_string();
        assert!(refused(LabSpec { servers: 2, ..LabSpec::default() }).contains("must be odd"));
        assert!(refused(LabSpec { clusters: vec![], ..LabSpec::default() }).contains("1 to 10 clusters"));
        let twice = vec!["east".parse().unwrap(), "east".parse().unwrap()];
        assert!(refused(LabSpec { clusters: twice, ..LabSpec::default() }).contains("east twice"));
    }

    #[test]
    fn a_kept_labs_backends_stay_where_their_yaml_says() {
        let (_dir, layout) = layout();
        let spec = LabSpec { ports: PortChoice::Random, ..LabSpec::default() };
        let (first, blocks) = plan(&spec, &layout, None).unwrap();
        drop(blocks);
        let (second, _blocks) = plan(&spec, &layout, Some(&first)).unwrap();
        assert_eq!(first.clusters[1].backends, second.clusters[1].backends);
    }
}
