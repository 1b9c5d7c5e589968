//! What is accepted, and everything that is told of what is not.

use super::*;

const SMALLEST: &str = "
cluster = 'east'
clusterset = 'lab'
data_dir = '/var/lib/isthmus'
join.servers = ['127.0.0.1:7400']
source.files = '/etc/isthmus'
";

fn problems(text: &str) -> String {
    Config::parse(Path::new("agent.toml"), text).unwrap_err().to_string()
}

#[test]
fn the_smallest_file_gets_defaults() {
    let config = Config::parse(Path::new("agent.toml"), SMALLEST).unwrap();
    assert_eq!(config.trust_domain.as_str(), "east.lab");
    assert_eq!(config.network.as_str(), "east");
    assert_eq!(config.local.to_string(), "unix:/var/lib/isthmus/agent.sock");
    assert_eq!(config.dns.to_string(), "127.0.0.1:15053");
    assert_eq!(config.http.to_string(), "127.0.0.1:15014");
    assert_eq!(config.vip_view, VipView::as_given());
}

#[test]
fn the_examples_of_the_help_are_valid() {
    let (_, example) = crate::app::EXAMPLES.split_once("A configuration:\n").unwrap();
    let (example, on_kubernetes) = example.split_once("On Kubernetes,").unwrap();
    let config = Config::parse(Path::new("agent.toml"), example).unwrap();
    assert_eq!(config.gateways.len(), 1);

    let (common, _) = example.split_once("  [source]\n").unwrap();
    let (_, tables) = on_kubernetes.split_once(":\n").unwrap();
    let config = Config::parse(Path::new("agent.toml"), &format!("{common}{tables}")).unwrap();
    let kubernetes = config.kubernetes().unwrap();
    assert_eq!(kubernetes.gateway_service.to_string(), "isthmus-system/isthmus-gateway");
    assert_eq!(kubernetes.egress_ports.to_string(), "16000-24999");
    assert_eq!(kubernetes.control.as_ref().unwrap().accounts.len(), 1);
}

const KUBERNETES: &str = "
cluster = 'east'
clusterset = 'lab'
data_dir = '/var/lib/isthmus'
join.servers = ['127.0.0.1:7400']
";

#[test]
fn on_kubernetes_the_pod_says_what_the_file_does_not() {
    let pod =
        |ips: &str| Environment { pod_ips: Some(ips.to_owned()), pod_namespace: Some("mesh".to_owned()) };
    let text = format!("{KUBERNETES}[source.kubernetes]\n[control]\n");
    let parse = |text: &str, ips: &str| Config::parse_in(Path::new("a"), text, &pod(ips));
    let config = parse(&text, "fd00::1, 10.0.0.7,10.0.0.8").unwrap();
    assert_eq!(config.families, [IpFamily::IPv6, IpFamily::IPv4], "the primary one first");
    let kubernetes = config.kubernetes().unwrap();
    assert_eq!(kubernetes.namespace.as_str(), "mesh");
    assert_eq!(kubernetes.gateway_service.to_string(), "mesh/isthmus-gateway");
    let control = kubernetes.control.clone().unwrap();
    assert_eq!(control.listen.to_string(), "0.0.0.0:15012");
    assert_eq!(control.accounts.first().unwrap().to_string(), "mesh/isthmus-gateway");
    assert!(kubernetes.write);

    assert_eq!(parse(&text, "10.0.0.7").unwrap().families, [IpFamily::IPv4]);
    let told = format!("ip_families = ['IPv6']\n{text}");
    assert_eq!(parse(&told, "10.0.0.7").unwrap().families, [IpFamily::IPv6], "the file counts more");
    let both = Config::parse(Path::new("a"), &text).unwrap();
    assert_eq!(both.families, [IpFamily::IPv4, IpFamily::IPv6], "outside a pod");
    assert_eq!(both.kubernetes().unwrap().namespace.as_str(), "isthmus-system");
    let wrong = parse(&text, "10.0.0").unwrap_err().to_string();
    assert!(wrong.contains("`ip_families`: `10.0.0` is not an IP address"), "{wrong}");
}

#[test]
fn there_is_exactly_one_source_and_nothing_that_needs_the_other() {
    for sources in ["", "source.files = '/f'\n[source.kubernetes]\n"] {
        let told =
            problems(&format!("{KUBERNETES}{}", if sources.is_empty() { "[source]\n" } else { sources }));
        assert!(told.contains("`source`: give either `files` or a table [source.kubernetes]"), "{told}");
    }
    let told = problems(&format!("{SMALLEST}[control]\n[gateway]\negress_ports = '1-2'\n"));
    assert!(told.contains("`control`: has a meaning only with [source.kubernetes]"), "{told}");
    assert!(told.contains("`gateway`: has a meaning only"), "{told}");
}

#[test]
fn every_wrong_value_for_kubernetes_is_told_at_once() {
    let told = problems(&format!(
        "{KUBERNETES}
[source.kubernetes]
namespace = 'Isthmus'
gateway_service = 'a.b'
[gateway]
egress_ports = '80-90'
[control]
listen = 'here'
gateway_accounts = ['isthmus-gateway', 'a/B']
ca_config_map = 'CA'
"
    ));
    for key in [
        "`source.kubernetes.namespace`: ",
        "`source.kubernetes.gateway_service`: ",
        "`gateway.egress_ports`: ports under 1024 need a privilege",
        "`control.listen`: invalid socket address",
        "`control.gateway_accounts`: `isthmus-gateway` is not namespace/name",
        "`control.gateway_accounts`: `a/B` is not",
        "`control.ca_config_map`: `CA` is not",
    ] {
        assert!(told.contains(key), "{key} in {told}");
    }
}

#[test]
fn a_typo_is_an_error_with_its_place() {
    let text = format!("clustre = 'x'\n{SMALLEST}");
    assert!(problems(&text).starts_with("agent.toml:1:1: `clustre`: unknown field"), "{}", problems(&text));
    let text = format!("{SMALLEST}[dns]\nlisten = 5\n");
    assert!(
        problems(&text).starts_with("agent.toml:8:10: `dns.listen`: invalid type"),
        "{}",
        problems(&text)
    );
}

#[test]
fn every_wrong_value_is_told_at_once() {
    let text = "
cluster = 'East'
clusterset = 'lab'
trust_domain = 'lab'
zone = 'a b'
data_dir = 'd'
vip_view = '127.0.0.0'
join.servers = []
source.files = 'f'
local.listen = '0.0.0.0:1'
dns.listen = 'here'
dns.upstream = ['1.1.1.1']
gateways = [{ address = '0.0.0.0:1', weight = 0 }, { address = 'x' }]
";
    let told = problems(text);
    for key in [
        "`cluster`: cluster id has the character 'E'",
        "`zone`: zone has",
        "`join.servers`: the list of servers is empty",
        "`local.listen`: 0.0.0.0:1 is not a loopback address",
        "`dns.listen`: invalid socket address",
        "`dns.upstream`: invalid socket address",
        "`gateways[0].weight`: 0 is not between",
        "`gateways[0].address`: 0.0.0.0:1 cannot be dialled",
        "`gateways[1].address`: invalid socket address",
        "`vip_view`: invalid IP",
    ] {
        assert!(told.contains(key), "{key} in {told}");
    }
}

#[test]
fn the_domain_of_the_servers_is_not_a_clusters() {
    let told = problems(&format!("trust_domain = 'lab'\n{SMALLEST}"));
    assert!(told.contains("`trust_domain`: may not be the clusterset's own"), "{told}");
}

#[test]
fn the_vip_view_may_be_one_block_or_one_for_each_family() {
    let view = |text: &str| Config::parse(Path::new("a"), &format!("{text}\n{SMALLEST}")).map(|c| c.vip_view);
    assert!(view("vip_view = '127.241.0.0/16'\nip_families = ['IPv4']").is_ok());
    assert!(view("vip_view = ['127.241.0.0/16', 'fd00::/48']").is_ok());
    assert!(view("vip_view = 'fd00::/48'\nip_families = ['IPv4']").is_err());
    assert!(view("ip_families = []").is_err());
}
