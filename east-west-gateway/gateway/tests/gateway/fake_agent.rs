//! A stand-in for the agent: it speaks the agent's protocol on a real socket, and says what the test tells it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use federation_api::gateway as wire;
use federation_api::gateway::gateway_control_server::{GatewayControl, GatewayControlServer};
use federation_kit::grpc::{HandshakeMetrics, LocalAddr, LocalIncoming, TlsIncoming};
use federation_model::data_plane::GatewayConfig;
use federation_trust::authorize::Nobody;
use federation_trust::tls::{Clients, ServerTls, server_config};
use federation_trust::{Authority, Identity, Lifetime, SharedBundles, SharedIdentity, infra};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{oneshot, watch};
use tokio_stream::wrappers::{ReceiverStream, WatchStream};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status};

use crate::world::{DEADLINE, Pki};

pub(crate) struct FakeAgent {
    pub(crate) address: LocalAddr,
    config: watch::Sender<wire::GatewayConfig>,
    reports: watch::Receiver<Vec<wire::ReportRequest>>,
    stop: Option<oneshot::Sender<()>>,
    server: tokio::task::JoinHandle<()>,
}

struct Service {
    authority: Arc<Authority>,
    config: watch::Receiver<wire::GatewayConfig>,
    reports: watch::Sender<Vec<wire::ReportRequest>>,
    token: Option<watch::Receiver<String>>,
    life: Duration,
}

impl Service {
    fn admit<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let Some(token) = &self.token else { return Ok(()) };
        let wanted = format!("Bearer {}", *token.borrow());
        match request.metadata().get("authorization") {
            Some(given) if given == wanted.as_str() => Ok(()),
            Some(_) => Err(Status::unauthenticated("the token is not accepted")),
            None => Err(Status::unauthenticated("a token is needed")),
        }
    }

    /// Ends when the token is not what it is now.
    fn disowned(&self) -> impl Future<Output = ()> + Send + use<> {
        let token = self.token.clone();
        async move {
            let Some(mut token) = token else { return std::future::pending().await };
            token.mark_unchanged();
            if token.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// The message for a configuration.
pub(crate) fn message(version: &str, config: &GatewayConfig) -> wire::GatewayConfig {
    wire::GatewayConfig { version: version.to_owned(), ..config.into() }
}

impl FakeAgent {
    pub(crate) async fn start(pki: &Pki, version: &str, config: &GatewayConfig) -> Self {
        let any = LocalAddr::Tcp(([127, 0, 0, 1], 0).into());
        Self::start_at(&any, pki, version, config).await
    }

    pub(crate) async fn start_at(
        address: &LocalAddr,
        pki: &Pki,
        version: &str,
        config: &GatewayConfig,
    ) -> Self {
        let incoming = LocalIncoming::bind(address).await.unwrap();
        let address = incoming.local_addr();
        Self::serve(address, incoming, None, pki, version, config)
    }

    /// Over TLS, as somebody with this identity, to bearers of the token that is accepted at the time. A watch ends when
    /// the token that it came with is not accepted any more.
    pub(crate) async fn start_tls(
        listen: SocketAddr,
        identity: Identity,
        token: watch::Receiver<String>,
        pki: &Pki,
        config: &GatewayConfig,
    ) -> Self {
        let tls = server_config(ServerTls {
            identity: SharedIdentity::new(identity),
            bundles: SharedBundles::default(),
            clients: Clients::Optional,
            authorize: Arc::new(Nobody),
            alpn: vec![b"h2".to_vec()],
        });
        let incoming = TlsIncoming::bind(listen, tls.unwrap(), HandshakeMetrics::default()).await.unwrap();
        let address = LocalAddr::Tcp(incoming.local_addr());
        Self::serve(address, incoming, Some(token), pki, "v1", config)
    }

    fn serve<C, E>(
        address: LocalAddr,
        incoming: impl Stream<Item = Result<C, E>> + Send + 'static,
        token: Option<watch::Receiver<String>>,
        pki: &Pki,
        version: &str,
        config: &GatewayConfig,
    ) -> Self
    where
        C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let domain = config.trust_domain.as_str();
        let authority = pki.authority(domain);
        let (cert, key) = (authority.cert_pem(), authority.key_pem());
        let authority = Arc::new(Authority::load(&config.trust_domain, &cert, &key).unwrap());
        let config = watch::Sender::new(message(version, config));
        let (reports, seen) = watch::channel(Vec::new());
        let service =
            Service { authority, config: config.subscribe(), reports, token, life: pki.gateway_life };
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tonic::transport::Server::builder()
            .add_service(GatewayControlServer::new(service))
            .serve_with_incoming(incoming);
        let server = tokio::spawn(async move {
            tokio::select! {
                served = served => served.unwrap(),
                _ = stopped => {}
            }
        });
        Self { address, config, reports: seen, stop: Some(stop), server }
    }

    pub(crate) fn say(&self, version: &str, config: &GatewayConfig) {
        self.say_message(message(version, config));
    }

    pub(crate) fn say_message(&self, message: wire::GatewayConfig) {
        self.config.send_replace(message);
    }

    /// Waits for a report that answers `wanted`.
    pub(crate) async fn report(&self, wanted: impl Fn(&wire::ReportRequest) -> bool) -> wire::ReportRequest {
        let mut reports = self.reports.clone();
        let seen = reports.wait_for(|reports| reports.iter().any(&wanted));
        let reports = tokio::time::timeout(DEADLINE, seen).await.unwrap().unwrap();
        reports.iter().find(|report| wanted(report)).unwrap().clone()
    }

    /// Goes away in the middle of everything.
    pub(crate) async fn kill(mut self) {
        let _gone = self.stop.take().unwrap().send(());
        self.server.await.unwrap();
    }
}

#[tonic::async_trait]
impl GatewayControl for Service {
    async fn issue(
        &self,
        request: Request<wire::IssueRequest>,
    ) -> Result<Response<wire::IssueResponse>, Status> {
        self.admit(&request)?;
        let csr = federation_trust::csr::verified_key(&request.into_inner().csr)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let id = infra::gateway_id(self.authority.domain());
        let chain =
            self.authority.issue(&csr, &id, Lifetime::starting_at(SystemTime::now(), self.life)).unwrap();
        let chain = chain.iter().map(|certificate| certificate.to_vec()).collect();
        Ok(Response::new(wire::IssueResponse { chain }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<wire::GatewayConfig, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<wire::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.admit(&request)?;
        let disowned = self.disowned();
        // `merge` would go on with the configurations after the error: this ends with it.
        let (sender, stream) = tokio::sync::mpsc::channel(1);
        let mut configurations = WatchStream::new(self.config.clone());
        tokio::spawn(async move {
            tokio::pin!(disowned);
            loop {
                let next = tokio::select! {
                    next = configurations.next() => next.map(Ok),
                    () = &mut disowned => Some(Err(Status::unauthenticated("the token is not accepted"))),
                };
                let Some(next) = next else { return };
                let last = next.is_err();
                if sender.send(next).await.is_err() || last {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn report(
        &self,
        request: Request<wire::ReportRequest>,
    ) -> Result<Response<wire::ReportResponse>, Status> {
        self.admit(&request)?;
        self.reports.send_modify(|reports| reports.push(request.into_inner()));
        Ok(Response::new(wire::ReportResponse {}))
    }
}
