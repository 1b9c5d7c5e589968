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
fn the_example_of_the_help_is_valid() {
    let (_, example) = crate::app::EXAMPLES.split_once("A configuration:\n").unwrap();
    let config = Config::parse(Path::new("agent.toml"), example).unwrap();
    assert_eq!(config.gateways.len(), 1);
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
