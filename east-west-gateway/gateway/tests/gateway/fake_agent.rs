//! A stand-in for the agent: it speaks the agent's protocol on a real socket, and says what the test tells it.

use std::pin::Pin;
use std::sync::Arc;

use federation_api::gateway as wire;
use federation_api::gateway::gateway_control_server::{GatewayControl, GatewayControlServer};
use federation_kit::grpc::{LocalAddr, LocalIncoming};
use federation_model::data_plane::GatewayConfig;
use federation_trust::{Authority, infra};
use tokio::sync::{oneshot, watch};
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status};

use crate::world::{DEADLINE, Pki, lifetime};

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
        let domain = config.trust_domain.as_str();
        let authority = pki.authority(domain);
        let (cert, key) = (authority.cert_pem(), authority.key_pem());
        let authority = Arc::new(Authority::load(&config.trust_domain, &cert, &key).unwrap());
        let config = watch::Sender::new(message(version, config));
        let (reports, seen) = watch::channel(Vec::new());
        let service = Service { authority, config: config.subscribe(), reports };
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
        let csr = federation_trust::csr::verified_key(&request.into_inner().csr)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let id = infra::gateway_id(self.authority.domain());
        let chain = self.authority.issue(&csr, &id, lifetime()).unwrap();
        let chain = chain.iter().map(|certificate| certificate.to_vec()).collect();
        Ok(Response::new(wire::IssueResponse { chain }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<wire::GatewayConfig, Status>> + Send>>;

    async fn watch(&self, _: Request<wire::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(Box::pin(WatchStream::new(self.config.clone()).map(Ok))))
    }

    async fn report(
        &self,
        request: Request<wire::ReportRequest>,
    ) -> Result<Response<wire::ReportResponse>, Status> {
        self.reports.send_modify(|reports| reports.push(request.into_inner()));
        Ok(Response::new(wire::ReportResponse {}))
    }
}
