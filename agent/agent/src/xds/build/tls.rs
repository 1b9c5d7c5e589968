//! How a proxy believes its peers, and what it shows them.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::core::v3::{TransportSocket, transport_socket::ConfigType};
use envoy_types::pb::envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as tls;
use federation_model::TrustDomain;
use federation_model::data_plane::{ExpectedPeer, OutboundPort, Target, Via};
use prost::{Message, Name};
use tls::common_tls_context::{CombinedCertificateValidationContext, ValidationContextType};

use super::parts::{ads, any, exact, flag, prefix};
use super::secret;

/// The key by which an endpoint's metadata chooses its transport socket.
pub const MATCH_KEY: &str = "tlsMode";
/// Endpoints that are spoken to without TLS.
pub const PLAIN: &str = "plain";
/// What we offer: the gateways' word for traffic between meshes (Istio's).
const ALPN_UPSTREAM: [&str; 1] = ["istio"];
/// What we take from callers.
const ALPN_DOWNSTREAM: [&str; 4] = ["istio-peer-exchange", "istio", "h2", "http/1.1"];

/// One way to speak mTLS to targets.
#[derive(Debug, Clone, Copy)]
pub struct Mtls<'a> {
    sni: &'a str,
    trust_domain: &'a TrustDomain,
    expect: &'a ExpectedPeer,
}

/// The name of the transport socket for a target. Targets of one domain that are spoken to in different ways are told
/// apart by a number.
pub fn mode(modes: &BTreeMap<String, Mtls<'_>>, target: &Target) -> String {
    let same = |mtls: &Mtls<'_>| match &target.via {
        Via::Plain => false,
        Via::Mtls { sni, trust_domain, expect } => {
            mtls.sni == sni && mtls.trust_domain == trust_domain && mtls.expect == expect
        }
    };
    modes.iter().find(|(_, mtls)| same(mtls)).map_or_else(|| PLAIN.to_owned(), |(name, _)| name.clone())
}

/// The ways in which a port's targets are spoken to by mTLS, by name.
pub fn modes(outbound: &OutboundPort) -> BTreeMap<String, Mtls<'_>> {
    let mut modes: BTreeMap<String, Mtls<'_>> = BTreeMap::new();
    for target in outbound.groups.iter().flat_map(|group| &group.targets) {
        let Via::Mtls { sni, trust_domain, expect } = &target.via else { continue };
        if mode(&modes, target) != PLAIN {
            continue;
        }
        let domain = format!("mtls:{trust_domain}");
        let count = modes.keys().filter(|name| name.split('#').next() == Some(&domain)).count();
        let name = if count == 0 { domain } else { format!("{domain}#{count}") };
        modes.insert(name, Mtls { sni, trust_domain, expect });
    }
    modes
}

/// Plain TCP.
pub fn plain() -> TransportSocket {
    socket("envoy.transport_sockets.raw_buffer", &RawBuffer {})
}

/// mTLS to targets: our own identity, their SNI, and only their domain's roots for the ids that are expected.
pub fn upstream(mtls: &Mtls<'_>) -> TransportSocket {
    let domain = mtls.trust_domain;
    let uri = |matcher| tls::SubjectAltNameMatcher {
        san_type: tls::subject_alt_name_matcher::SanType::Uri.into(),
        matcher: Some(matcher),
        ..tls::SubjectAltNameMatcher::default()
    };
    let mut expected: Vec<_> = match mtls.expect {
        ExpectedPeer::AnyOfNamespace(ns) => vec![uri(prefix(format!("spiffe://{domain}/ns/{ns}/sa/")))],
        ExpectedPeer::OneOf(ids) => {
            let ours = ids.iter().filter(|id| id.trust_domain() == domain);
            ours.map(|id| uri(exact(id.to_string()))).collect()
        }
    };
    if expected.is_empty() {
        // An empty list would expect anybody. No leaf has an id without a path (SPIFFE-ID, section 2.2).
        expected.push(uri(exact(format!("spiffe://{domain}"))));
    }
    let context = tls::UpstreamTlsContext {
        common_tls_context: Some(common(&ALPN_UPSTREAM, expected)),
        sni: mtls.sni.to_owned(),
        ..tls::UpstreamTlsContext::default()
    };
    socket("envoy.transport_sockets.tls", &context)
}

/// mTLS from callers of any domain that we know; who of them may call is decided afterwards, by id.
pub fn downstream() -> TransportSocket {
    let context = tls::DownstreamTlsContext {
        common_tls_context: Some(common(&ALPN_DOWNSTREAM, Vec::new())),
        require_client_certificate: Some(flag(true)),
        ..tls::DownstreamTlsContext::default()
    };
    socket("envoy.transport_sockets.tls", &context)
}

fn common(alpn: &[&str], expected: Vec<tls::SubjectAltNameMatcher>) -> tls::CommonTlsContext {
    let secret = |name: &str| tls::SdsSecretConfig { name: name.to_owned(), sds_config: Some(ads()) };
    let validation = CombinedCertificateValidationContext {
        default_validation_context: Some(tls::CertificateValidationContext {
            match_typed_subject_alt_names: expected,
            ..tls::CertificateValidationContext::default()
        }),
        validation_context_sds_secret_config: Some(secret(secret::ALL)),
        ..CombinedCertificateValidationContext::default()
    };
    tls::CommonTlsContext {
        tls_certificate_sds_secret_configs: vec![secret(secret::DEFAULT)],
        alpn_protocols: alpn.iter().map(|&name| name.to_owned()).collect(),
        validation_context_type: Some(ValidationContextType::CombinedValidationContext(validation)),
        ..tls::CommonTlsContext::default()
    }
}

fn socket<M: Message + Name>(name: &str, config: &M) -> TransportSocket {
    TransportSocket { name: name.to_owned(), config_type: Some(ConfigType::TypedConfig(any(config))) }
}
