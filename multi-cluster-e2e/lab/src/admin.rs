//! What the lab asks of the federation as its operator.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, anyhow};
use federation_client::{AdminClient, Servers, Timing};
use federation_model::Bundle;
use federation_model::bundle::AuthorityDer;
use federation_trust::Identity;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// An operator's client with the identity in `admin` (`cert.pem`, `key.pem`, `ca.pem`). Nothing is dialled yet.
pub fn operator(admin: &Path, servers: &[SocketAddr]) -> anyhow::Result<AdminClient> {
    let read = |name: &str| {
        let path = admin.join(name);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let identity = Identity::from_pem(&read("cert.pem")?, &read("key.pem")?)?;
    let authority = CertificateDer::from_pem_slice(read("ca.pem")?.as_bytes())
        .map_err(|error| anyhow!("ca.pem holds no certificate: {error:?}"))?;
    let bundle = Bundle {
        trust_domain: identity.id().trust_domain().clone(),
        authorities: vec![AuthorityDer(authority.to_vec())],
        sequence: 0,
        refresh_hint: 0,
    };
    let servers = Servers::new(servers.iter().map(ToString::to_string).collect())?;
    Ok(AdminClient::connect(servers, identity, &bundle, Timing::default())?)
}
