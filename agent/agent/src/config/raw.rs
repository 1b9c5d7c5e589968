//! The file as it is written, and the rules that its values keep.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use agent_plan::VipView;
use agent_plan::vip_view::IpFamily;
use federation_client::Servers;
use federation_model::cluster::MAX_GATEWAYS;
use federation_model::{Gateway, TrustDomain};
use ipnet::IpNet;
use serde::Deserialize;

use super::environment::Environment;
use super::kubernetes::{self, RawControl, RawGatewayPorts, RawKubernetes};
use super::problems::Problems;
use super::{Config, SourceConfig};

/// Most DNS upstreams.
const MAX_UPSTREAMS: usize = 16;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    cluster: String,
    clusterset: String,
    network: Option<String>,
    region: Option<String>,
    zone: Option<String>,
    trust_domain: Option<String>,
    data_dir: PathBuf,
    vip_view: Option<OneOrMany>,
    ip_families: Option<Vec<IpFamily>>,
    join: Join,
    source: Source,
    local: Option<Listen>,
    dns: Option<Dns>,
    http: Option<Listen>,
    #[serde(default)]
    gateways: Vec<RawGateway>,
    gateway: Option<RawGatewayPorts>,
    control: Option<RawControl>,
    ca: Option<Ca>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Join {
    servers: Vec<String>,
    token_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    files: Option<PathBuf>,
    kubernetes: Option<RawKubernetes>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listen {
    listen: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dns {
    listen: Option<String>,
    #[serde(default)]
    upstream: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGateway {
    address: String,
    zone: Option<String>,
    weight: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ca {
    cert: PathBuf,
    key: PathBuf,
}

impl Raw {
    pub(super) fn check(self, text: &str, environment: &Environment) -> Result<Config, Vec<String>> {
        let mut problems = Problems::default();
        let config = self.read(text, environment, &mut problems);
        problems.finish(config)
    }

    /// `None` only if there is a problem. Every value is looked at before the first is needed.
    fn read(self, text: &str, environment: &Environment, problems: &mut Problems) -> Option<Config> {
        let cluster = problems.parse("cluster", &self.cluster);
        let clusterset = problems.parse("clusterset", &self.clusterset);
        let network = problems.parse("network", self.network.as_deref().unwrap_or(&self.cluster));
        let region = problems.parse_some("region", self.region.as_deref());
        let zone = problems.parse_some("zone", self.zone.as_deref());
        let own_domain: Option<Option<TrustDomain>> =
            problems.parse_some("trust_domain", self.trust_domain.as_deref());
        let servers = problems.take("join.servers", Servers::new(self.join.servers));
        let default_local = format!("unix:{}", absolute(&self.data_dir).join("agent.sock").display());
        let local = self.local.map_or(default_local, |local| local.listen);
        let local = problems.parse("local.listen", &local);
        let (dns_listen, upstream) = self.dns.map_or((None, vec![]), |dns| (dns.listen, dns.upstream));
        let dns = listen(problems, "dns.listen", dns_listen.as_deref(), 15_053);
        let dns_upstream = upstreams(problems, &upstream);
        let http =
            listen(problems, "http.listen", self.http.as_ref().map(|http| http.listen.as_str()), 15_014);
        let gateways = gateways(problems, &self.gateways);
        let families = families(problems, self.ip_families, environment);
        let vip_view = vip_view(problems, self.vip_view, &families);
        let source = source(problems, self.source, self.control, self.gateway, environment);
        let (cluster, clusterset) = (cluster?, clusterset?);
        let trust_domain = match own_domain? {
            Some(domain) => Some(domain),
            None => problems.take("clusterset", TrustDomain::of_cluster(&cluster, &clusterset)),
        }?;
        if trust_domain == clusterset {
            // Otherwise this cluster's CA could sign the names of federation servers.
            problems.add("trust_domain", "may not be the clusterset's own domain");
        }
        Some(Config {
            cluster,
            clusterset,
            trust_domain,
            network: network?,
            region: region?,
            zone: zone?,
            data_dir: self.data_dir,
            servers: servers?,
            token_file: self.join.token_file,
            source: source?,
            local: local?,
            dns: dns?,
            dns_upstream,
            http: http?,
            gateways,
            families,
            vip_view: vip_view?,
            ca: self.ca.map(|ca| (ca.cert, ca.key)),
            text: text.to_owned(),
        })
    }
}

fn absolute(path: &std::path::Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn listen(problems: &mut Problems, key: &str, text: Option<&str>, port: u16) -> Option<SocketAddr> {
    match text {
        None => Some((Ipv4Addr::LOCALHOST, port).into()),
        Some(text) => problems.parse(key, text),
    }
}

fn upstreams(problems: &mut Problems, given: &[String]) -> Vec<SocketAddr> {
    if given.len() > MAX_UPSTREAMS {
        problems.add("dns.upstream", format!("{} given, at most {MAX_UPSTREAMS} are allowed", given.len()));
    }
    given.iter().filter_map(|text| problems.parse("dns.upstream", text)).collect()
}

fn gateways(problems: &mut Problems, given: &[RawGateway]) -> Vec<Gateway> {
    if given.len() > MAX_GATEWAYS {
        problems.add("gateways", format!("{} given, at most {MAX_GATEWAYS} are allowed", given.len()));
    }
    let mut gateways: Vec<Gateway> = Vec::new();
    for (index, raw) in given.iter().enumerate() {
        let key = |leaf: &str| format!("gateways[{index}].{leaf}");
        let address: Option<SocketAddr> = problems.parse(&key("address"), &raw.address);
        let zone = problems.parse_some(&key("zone"), raw.zone.as_deref());
        let weight = raw.weight.unwrap_or(1);
        if !(1..=1_000).contains(&weight) {
            problems.add(&key("weight"), format!("{weight} is not between 1 and 1000"));
        }
        let (Some(address), Some(zone)) = (address, zone) else { continue };
        if address.port() == 0 || address.ip().is_unspecified() {
            problems.add(&key("address"), format!("{address} cannot be dialled"));
        }
        if gateways.iter().any(|other| other.address == address) {
            problems.add(&key("address"), format!("{address} is there twice"));
        }
        gateways.push(Gateway { address, zone, weight });
    }
    gateways
}

/// Exactly one source, and no table that has no meaning beside it.
fn source(
    problems: &mut Problems,
    given: Source,
    control: Option<RawControl>,
    ports: Option<RawGatewayPorts>,
    environment: &Environment,
) -> Option<SourceConfig> {
    match (given.files, given.kubernetes) {
        (None, Some(raw)) => {
            let read = kubernetes::read(raw, control, ports, environment, problems)?;
            Some(SourceConfig::Kubernetes(Box::new(read)))
        }
        (Some(files), None) => {
            for (key, given) in [("control", control.is_some()), ("gateway", ports.is_some())] {
                if given {
                    problems.add(key, "has a meaning only with [source.kubernetes]");
                }
            }
            Some(SourceConfig::Files(files))
        }
        (None, None) | (Some(_), Some(_)) => {
            problems.add("source", "give either `files` or a table [source.kubernetes]");
            None
        }
    }
}

/// As given; else those of the pod; else both.
fn families(
    problems: &mut Problems,
    given: Option<Vec<IpFamily>>,
    environment: &Environment,
) -> Vec<IpFamily> {
    let both = || vec![IpFamily::IPv4, IpFamily::IPv6];
    let Some(given) = given else {
        let own = problems.take("ip_families", environment.families()).unwrap_or_default();
        return if own.is_empty() { both() } else { own };
    };
    let mut families: Vec<IpFamily> = Vec::new();
    for family in given {
        if !families.contains(&family) {
            families.push(family);
        }
    }
    families
}

fn vip_view(problems: &mut Problems, blocks: Option<OneOrMany>, families: &[IpFamily]) -> Option<VipView> {
    let texts = match blocks {
        None => Vec::new(),
        Some(OneOrMany::One(text)) => vec![text],
        Some(OneOrMany::Many(texts)) => texts,
    };
    let blocks: Vec<Option<IpNet>> = texts.iter().map(|text| problems.parse("vip_view", text)).collect();
    let blocks: Vec<IpNet> = blocks.into_iter().collect::<Option<_>>()?;
    problems.take("vip_view", VipView::new(families, &blocks))
}
