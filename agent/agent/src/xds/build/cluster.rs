//! CDS: one cluster for each imported port.

use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3 as cds;
use envoy_types::pb::envoy::config::core::v3::{Http1ProtocolOptions, Http2ProtocolOptions};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::{HttpProtocolOptions, http_protocol_options};
use envoy_types::pb::envoy::r#type::v3::Percent;
use federation_model::data_plane::{AppProtocol, OutboundPort, ServicePortId};
use http_protocol_options::explicit_http_config::ProtocolConfig;

use super::parts::{ads, any, duration, number, single};
use super::tls;

/// How long a connection may take before another target is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The cluster of an imported port. Its endpoints come by EDS under the cluster's own name: names that are shared
/// between clusters stall their warming (envoy#47302).
pub fn outbound(id: &ServicePortId, port: &OutboundPort) -> cds::Cluster {
    let modes = tls::modes(port);
    let matching = |name: &str, socket| cds::cluster::TransportSocketMatch {
        name: name.to_owned(),
        r#match: Some(single(tls::MATCH_KEY, name)),
        transport_socket: Some(socket),
    };
    let mut matches = vec![matching(tls::PLAIN, tls::plain())];
    matches.extend(modes.iter().map(|(name, mtls)| matching(name, tls::upstream(mtls))));
    cds::Cluster {
        name: id.envoy_cluster(),
        cluster_discovery_type: Some(cds::cluster::ClusterDiscoveryType::Type(
            cds::cluster::DiscoveryType::Eds.into(),
        )),
        eds_cluster_config: Some(cds::cluster::EdsClusterConfig {
            eds_config: Some(ads()),
            ..cds::cluster::EdsClusterConfig::default()
        }),
        connect_timeout: Some(duration(CONNECT_TIMEOUT)),
        transport_socket_matches: matches,
        // An endpoint that matches nothing is never spoken to in the clear.
        transport_socket: modes.values().next().map(tls::upstream),
        typed_extension_protocol_options: protocol(port.app),
        outlier_detection: Some(outliers()),
        common_lb_config: Some(cds::cluster::CommonLbConfig {
            // Ejected targets are used only when there are no others in any priority: better to try them than to fail.
            // The default of half would spread load over dead targets while live ones remain.
            healthy_panic_threshold: Some(Percent { value: 1.0 }),
            // By default the workers hear of a second change of weights only after a second.
            update_merge_window: Some(duration(Duration::ZERO)),
            ..cds::cluster::CommonLbConfig::default()
        }),
        // What the plan took away is gone, whatever its health was.
        ignore_health_on_host_removal: true,
        ..cds::Cluster::default()
    }
}

/// Only failures to reach a target eject it. An answer of 500 is that of one workload, and a gateway stands for all of
/// its cluster's: ejecting it for them would cut off a whole cluster.
fn outliers() -> cds::OutlierDetection {
    cds::OutlierDetection {
        split_external_local_origin_errors: true,
        consecutive_local_origin_failure: Some(number(2)),
        enforcing_consecutive_local_origin_failure: Some(number(100)),
        enforcing_consecutive_5xx: Some(number(0)),
        enforcing_consecutive_gateway_failure: Some(number(0)),
        enforcing_success_rate: Some(number(0)),
        enforcing_local_origin_success_rate: Some(number(0)),
        interval: Some(duration(Duration::from_secs(1))),
        base_ejection_time: Some(duration(Duration::from_secs(5))),
        max_ejection_time: Some(duration(Duration::from_secs(30))),
        max_ejection_percent: Some(number(100)),
        ..cds::OutlierDetection::default()
    }
}

/// What is spoken inside. One entry: see [`super::super::resource::Resource::new`].
fn protocol(app: AppProtocol) -> std::collections::HashMap<String, envoy_types::pb::google::protobuf::Any> {
    let config = match app {
        AppProtocol::Tcp => return std::collections::HashMap::new(),
        AppProtocol::Http => ProtocolConfig::HttpProtocolOptions(Http1ProtocolOptions::default()),
        AppProtocol::Http2 => ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions::default()),
    };
    let options = HttpProtocolOptions {
        upstream_protocol_options: Some(http_protocol_options::UpstreamProtocolOptions::ExplicitHttpConfig(
            http_protocol_options::ExplicitHttpConfig { protocol_config: Some(config) },
        )),
        ..HttpProtocolOptions::default()
    };
    [("envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(), any(&options))].into()
}
