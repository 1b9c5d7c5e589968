//! The way to the agent: a local socket, or TLS with a token.
//!
//! Over TLS both sides prove themselves anew at each connect, by what is in the files then: the cluster's authority is in
//! one (a ConfigMap, replaced by the kubelet through a symlink), the token in another (rotated long before it expires).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use federation_api::MAX_LOCAL_MESSAGE_BYTES;
use federation_api::gateway::gateway_control_client::GatewayControlClient;
use federation_kit::files::{self, FileError};
use federation_kit::grpc::{LocalAddr, connect_local, connect_tls};
use federation_model::trust_domain::TrustDomain;
use federation_trust::authorize::Only;
use federation_trust::bundle_set::{bundle_from_pem, domain_in_pem};
use federation_trust::tls::{ClientTls, Server, client_config};
use federation_trust::{BundleSet, SharedBundles, TrustError, infra};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use super::bearer::Bearer;
use crate::config::{AgentAddress, Config, HttpsAddress};

/// Largest file of authorities, in bytes.
const MAX_CA: u64 = 1024 * 1024;
/// How often the file is looked at while the agent is followed: an authority that was taken out of it must not go on being
/// believed.
const LOOK_AT_CA: Duration = Duration::from_secs(5);

/// The agent's service, with the token in every call.
pub(super) type Control = GatewayControlClient<InterceptedService<Channel, Bearer>>;

/// Why the agent is not called at all.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// There is no file of authorities yet.
    #[error("waiting for the agent's CA: there is no {} yet (the agent writes it when it has started)", .0.display())]
    NoCa(PathBuf),
    /// It cannot be read.
    #[error("agent's CA cannot be read")]
    Ca(#[source] FileError),
    /// It is not PEM, or holds no certificate.
    #[error("agent's CA in {} cannot be used", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: TrustError,
    },
    /// Nobody says which domain the agent is in.
    #[error("{} names no trust domain: set trust_domain to the cluster's", .0.display())]
    Domain(PathBuf),
    /// None of the certificates may vouch for the domain.
    #[error("{} holds no authority of {domain}: {why}", path.display())]
    NoAuthority {
        /// The file.
        path: PathBuf,
        /// The domain.
        domain: TrustDomain,
        /// What is wrong with one of them.
        why: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Setup(#[source] TrustError),
}

/// How the agent is reached.
#[derive(Debug, Clone)]
pub enum AgentLink {
    /// By a socket of this machine.
    Local(LocalAddr),
    /// By TLS.
    Tls(Arc<TlsLink>),
}

/// What TLS takes.
#[derive(Debug)]
pub struct TlsLink {
    address: HttpsAddress,
    ca: PathBuf,
    domain: Option<TrustDomain>,
    token: PathBuf,
}

/// A way that is open, or will be with the first call.
#[derive(Debug)]
pub(super) struct Linked {
    pub(super) control: Control,
    /// The authorities by which the agent is believed on it.
    ca: Option<(Arc<TlsLink>, Vec<u8>)>,
}

impl AgentLink {
    /// As configured.
    pub fn new(config: &Config) -> Self {
        match &config.agent {
            AgentAddress::Local(address) => Self::Local(address.clone()),
            AgentAddress::Https(address) => Self::Tls(Arc::new(TlsLink {
                address: address.clone(),
                ca: config.agent_ca.clone(),
                domain: config.trust_domain.clone(),
                token: config.agent_token_file.clone(),
            })),
        }
    }

    /// Makes ready to call. Nothing is dialled before the first call.
    pub(super) async fn open(&self) -> Result<Linked, LinkError> {
        match self {
            Self::Local(address) => {
                Ok(Linked { control: control(connect_local(address), Bearer::none()), ca: None })
            }
            Self::Tls(link) => {
                let pem = link.read_ca().await?;
                let channel = link.channel(&pem)?;
                let control = control(channel, Bearer::file(link.token.clone()));
                Ok(Linked { control, ca: Some((Arc::clone(link), pem)) })
            }
        }
    }
}

fn control(channel: Channel, bearer: Bearer) -> Control {
    GatewayControlClient::with_interceptor(channel, bearer).max_decoding_message_size(MAX_LOCAL_MESSAGE_BYTES)
}

impl Linked {
    /// Ends when the authorities in the file are others than those of this link. A file that is gone, or cannot be read for
    /// a moment, withdraws nothing.
    pub(super) fn ca_replaced(&self) -> impl Future<Output = ()> + use<> {
        let ca = self.ca.clone();
        async move {
            let Some((link, used)) = ca else { return std::future::pending().await };
            loop {
                tokio::time::sleep(LOOK_AT_CA).await;
                match link.read_ca().await {
                    Ok(pem) if pem != used => return,
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!(error = %federation_kit::exit::chain(&error), "agent's CA not looked at");
                    }
                }
            }
        }
    }
}

impl TlsLink {
    async fn read_ca(&self) -> Result<Vec<u8>, LinkError> {
        let path = self.ca.clone();
        let read = tokio::task::spawn_blocking(move || files::read_bounded(&path, MAX_CA)).await;
        match read {
            Ok(Ok(pem)) => Ok(pem),
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                Err(LinkError::NoCa(self.ca.clone()))
            }
            Ok(Err(error)) => Err(LinkError::Ca(error)),
            // Only at the end of the process.
            Err(_cancelled) => Err(LinkError::NoCa(self.ca.clone())),
        }
    }

    fn channel(&self, pem: &[u8]) -> Result<Channel, LinkError> {
        let unusable = |source| LinkError::Pem { path: self.ca.clone(), source };
        let pem = String::from_utf8_lossy(pem);
        let named = domain_in_pem(&pem).map_err(unusable)?;
        let domain = self.domain.clone().or(named).ok_or_else(|| LinkError::Domain(self.ca.clone()))?;
        let bundle = bundle_from_pem(&domain, &pem).map_err(unusable)?;
        let (bundles, problems) = BundleSet::from_bundles([&bundle]);
        if bundles.get(&domain).is_none_or(<[_]>::is_empty) {
            let why = problems.first().map_or_else(|| "it is empty".to_owned(), |(_, why)| why.to_string());
            return Err(LinkError::NoAuthority { path: self.ca.clone(), domain, why });
        }
        let server = Server::Bundles {
            bundles: SharedBundles::new(bundles),
            authorize: Arc::new(Only(infra::cluster_agent_id(&domain))),
        };
        // No certificate is shown: the gateway comes here to get its first.
        let tls = client_config(ClientTls { identity: None, server, alpn: vec![b"h2".to_vec()] });
        let tls = tls.map_err(LinkError::Setup)?;
        Ok(connect_tls(self.address.authority(), tls, self.address.host.clone()))
    }
}
