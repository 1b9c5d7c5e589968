//! SDS: the proxy's identity, and the bundles by which it believes others. The names are SPIRE's, so that either can
//! serve a proxy that was configured for the other.

use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as tls;
use federation_model::bundle::AuthorityDer;
use federation_model::data_plane::GatewayConfig;
use federation_model::{Bundle, TrustDomain};
use federation_trust::{BundleSet, Identity};
use tls::spiffe_cert_validator_config::TrustDomain as Validated;

use super::parts::{extension, inline};

/// The proxy's own certificate and key. Also under its SPIFFE id.
pub const DEFAULT: &str = "default";
/// The roots of the proxy's own domain.
pub const ROOT_CA: &str = "ROOTCA";
/// The roots of every domain, each for its own leaves only.
pub const ALL: &str = "ALL";

/// The proxy's own certificate, under both of its names.
pub fn certificates(identity: &Identity) -> Vec<tls::Secret> {
    let (chain, key) = identity.to_pem();
    let certificate = tls::TlsCertificate {
        certificate_chain: Some(inline(chain)),
        private_key: Some(inline(key.to_string())),
        ..tls::TlsCertificate::default()
    };
    let named = |name| {
        let certificate = tls::secret::Type::TlsCertificate(certificate.clone());
        tls::Secret { name, r#type: Some(certificate) }
    };
    [DEFAULT.to_owned(), identity.id().to_string()].map(named).into()
}

/// By which every proxy believes others.
pub fn validators(config: &GatewayConfig) -> Vec<tls::Secret> {
    let domains: Vec<Validated> =
        config.bundles.iter().filter_map(|(domain, bundle)| validated(domain, bundle)).collect();
    let mut secrets = Vec::new();
    for domain in &domains {
        secrets.push(validator(format!("spiffe://{}", domain.name), vec![domain.clone()]));
        if domain.name == config.trust_domain.as_str() {
            secrets.push(validator(ROOT_CA.to_owned(), vec![domain.clone()]));
        }
    }
    if !domains.is_empty() {
        // Envoy refuses a validator without domains.
        secrets.push(validator(ALL.to_owned(), domains));
    }
    secrets
}

/// The SPIFFE validator looks at the bundle of a leaf's own domain and at no other. A pooled CA file would let any
/// cluster sign for any other.
fn validator(name: String, trust_domains: Vec<Validated>) -> tls::Secret {
    let config =
        tls::SpiffeCertValidatorConfig { trust_domains, ..tls::SpiffeCertValidatorConfig::default() };
    let context = tls::CertificateValidationContext {
        custom_validator_config: Some(extension("envoy.tls.cert_validator.spiffe", &config)),
        ..tls::CertificateValidationContext::default()
    };
    tls::Secret { name, r#type: Some(tls::secret::Type::ValidationContext(context)) }
}

/// A domain with the authorities that can be used. A bundle of another cluster must not make a proxy refuse the whole
/// secret: what is no authority is left out here, and reported where bundles are received. A domain without any is
/// left out too, which means the same: nobody of it is believed.
fn validated(domain: &TrustDomain, bundle: &Bundle) -> Option<Validated> {
    let usable = |authority: &&AuthorityDer| {
        let alone = Bundle { authorities: vec![(*authority).clone()], ..bundle.clone() };
        BundleSet::from_bundles([&alone]).1.is_empty()
    };
    let pem: String = bundle.authorities.iter().filter(usable).map(|authority| pem(&authority.0)).collect();
    (!pem.is_empty()).then(|| Validated {
        name: domain.to_string(),
        trust_bundle: Some(inline(pem)),
        ..Validated::default()
    })
}

fn pem(der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for (at, letter) in text.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem.push_str("\n-----END CERTIFICATE-----\n");
    pem
}
