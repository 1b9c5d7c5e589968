//! RDS: which cluster a request is for, by its authority.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3 as rds;
use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use envoy_types::pb::envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig;
use federation_model::ServiceId;
use federation_model::data_plane::{AppProtocol, GatewayConfig, ServicePortId};

use super::listener::OUTBOUND_HTTP;
use super::parts::{any, duration, flag, number};

/// A virtual host for each HTTP port of each imported service: `<host>:<port>` and `<vip>:<port>`, and without a port
/// for the first HTTP port of the service.
pub fn outbound_http(config: &GatewayConfig) -> rds::RouteConfiguration {
    let mut named: BTreeSet<&ServiceId> = BTreeSet::new();
    // Envoy refuses a configuration in which a domain appears twice. VIPs are unique, but that is not ours to promise.
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut hosts = Vec::new();
    for (id, port) in config.egress.iter().filter(|(_, port)| port.app != AppProtocol::Tcp) {
        let host = id.service.host();
        let number = id.port.get();
        let mut domains = vec![format!("{host}:{number}")];
        domains.extend(port.vip.iter().map(|vip| SocketAddr::new(*vip, number).to_string()));
        if named.insert(&id.service) {
            domains.push(host);
            domains.extend(port.vip.iter().map(|vip| match vip {
                IpAddr::V4(v4) => v4.to_string(),
                IpAddr::V6(v6) => format!("[{v6}]"),
            }));
        }
        domains.retain(|domain| taken.insert(domain.clone()));
        if !domains.is_empty() {
            hosts.push(virtual_host(id, domains));
        }
    }
    rds::RouteConfiguration {
        name: OUTBOUND_HTTP.to_owned(),
        virtual_hosts: hosts,
        // A cluster that is not known yet is a 503 of that service alone.
        validate_clusters: Some(flag(false)),
        ..rds::RouteConfiguration::default()
    }
}

fn virtual_host(id: &ServicePortId, domains: Vec<String>) -> rds::VirtualHost {
    let action = rds::RouteAction {
        cluster_specifier: Some(rds::route_action::ClusterSpecifier::Cluster(id.envoy_cluster())),
        // How long a request may take is between the caller and the service.
        timeout: Some(duration(Duration::ZERO)),
        retry_policy: Some(rds::RetryPolicy {
            // The request never reached a workload: asking elsewhere is safe.
            retry_on: "connect-failure,refused-stream".to_owned(),
            num_retries: Some(number(2)),
            retry_host_predicate: vec![rds::retry_policy::RetryHostPredicate {
                name: "envoy.retry_host_predicates.previous_hosts".to_owned(),
                config_type: Some(rds::retry_policy::retry_host_predicate::ConfigType::TypedConfig(any(
                    &PreviousHostsPredicate {},
                ))),
            }],
            host_selection_retry_max_attempts: 3,
            // A retry goes to the next group at once, without waiting until the first is known to be ill.
            retry_priority: Some(rds::retry_policy::RetryPriority {
                name: "envoy.retry_priorities.previous_priorities".to_owned(),
                config_type: Some(rds::retry_policy::retry_priority::ConfigType::TypedConfig(any(
                    &PreviousPrioritiesConfig { update_frequency: 1 },
                ))),
            }),
            ..rds::RetryPolicy::default()
        }),
        ..rds::RouteAction::default()
    };
    let every = rds::RouteMatch {
        path_specifier: Some(rds::route_match::PathSpecifier::Prefix("/".to_owned())),
        ..rds::RouteMatch::default()
    };
    let route = rds::Route {
        r#match: Some(every),
        action: Some(rds::route::Action::Route(action)),
        ..rds::Route::default()
    };
    rds::VirtualHost { name: id.envoy_cluster(), domains, routes: vec![route], ..rds::VirtualHost::default() }
}
