//! `isthmus.gateway.v1.GatewayControl`.

use std::pin::Pin;
use std::sync::Arc;

use federation_api::gateway as wire;
use federation_model::data_plane::GatewayConfig;
use federation_trust::{csr, infra};
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, future, stream};
use prost::Message;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use wire::gateway_control_server::GatewayControl;

use super::config::ConfigReceiver;
use super::gateways::{Gateways, MAX_NAME, Watching};
use super::guard::Admission;
use super::issue::IssueIdentity;

/// The service. One for all gateways of the cluster.
#[derive(Debug, Clone)]
pub struct GatewayControlService {
    config: ConfigReceiver,
    issuer: Arc<dyn IssueIdentity>,
    gateways: Gateways,
    stop: CancellationToken,
}

impl GatewayControlService {
    /// A service whose streams end with `stop`.
    pub fn new(
        config: ConfigReceiver,
        issuer: Arc<dyn IssueIdentity>,
        gateways: Gateways,
        stop: CancellationToken,
    ) -> Self {
        Self { config, issuer, gateways, stop }
    }
}

/// One gateway's watch.
struct Watch {
    config: ConfigReceiver,
    stop: CancellationToken,
    /// Ends when the watcher is no longer believed; never, on the local socket.
    disowned: BoxFuture<'static, Status>,
    stage: Stage,
    _watching: Watching,
}

#[derive(PartialEq, Eq)]
enum Stage {
    /// Nothing was sent.
    New,
    /// The last configuration that was seen was sent.
    Following,
    /// The reason for the end was sent.
    Over,
}

impl Watch {
    /// The next configuration; what changed several times meanwhile is sent once.
    async fn next(mut self) -> Option<(Result<wire::GatewayConfig, Status>, Self)> {
        if self.stage == Stage::Over {
            return None;
        }
        let stop = self.stop.clone();
        let next = async {
            if self.stage == Stage::Following && !self.config.changed().await {
                return None;
            }
            self.config.first().await?;
            self.config.seen()
        };
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            status = &mut self.disowned => {
                self.stage = Stage::Over;
                return Some((Err(status), self));
            }
            next = next => next,
        }?;
        self.stage = Stage::Following;
        Some((Ok(versioned(&next.config)), self))
    }
}

#[tonic::async_trait]
impl GatewayControl for GatewayControlService {
    async fn issue(
        &self,
        request: Request<wire::IssueRequest>,
    ) -> Result<Response<wire::IssueResponse>, Status> {
        let csr = csr::verified_key(&request.into_inner().csr)
            .map_err(|error| Status::invalid_argument(format!("csr: {error}")))?;
        let id = infra::gateway_id(&self.issuer.trust_domain());
        let chain = self.issuer.sign(&csr, &id).map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, %id, "gateway certificate not issued");
            Status::unavailable("the cluster's authority did not sign")
        })?;
        tracing::info!(%id, key = ?csr.key_hash(), "gateway certificate issued");
        Ok(Response::new(wire::IssueResponse { chain }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<wire::GatewayConfig, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<wire::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let disowned = match request.extensions().get::<Admission>() {
            Some(admission) => admission.clone().ended().boxed(),
            None => future::pending().boxed(),
        };
        let name = named(request.into_inner().gateway)?;
        let watching = self.gateways.watching(&name).ok_or_else(too_many)?;
        let watch = Watch {
            config: self.config.clone(),
            stop: self.stop.clone(),
            disowned,
            stage: Stage::New,
            _watching: watching,
        };
        Ok(Response::new(Box::pin(stream::unfold(watch, Watch::next))))
    }

    async fn report(
        &self,
        request: Request<wire::ReportRequest>,
    ) -> Result<Response<wire::ReportResponse>, Status> {
        let wire::ReportRequest { gateway, version, problems } = request.into_inner();
        let name = named(gateway)?;
        if version.len() > MAX_NAME {
            return Err(Status::invalid_argument(format!("version: more than {MAX_NAME} bytes")));
        }
        if !problems.is_empty() {
            tracing::warn!(gateway = name, version, ?problems, "gateway could not apply everything");
        }
        if self.gateways.report(&name, version, problems) {
            Ok(Response::new(wire::ReportResponse {}))
        } else {
            Err(too_many())
        }
    }
}

/// As wire, with the hash of its content as its version. The message has no maps, so that equal configurations have
/// equal bytes.
fn versioned(config: &GatewayConfig) -> wire::GatewayConfig {
    let mut message = wire::GatewayConfig::from(config);
    let hash = Sha256::digest(message.encode_to_vec());
    message.version = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    message
}

fn named(name: String) -> Result<String, Status> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(Status::invalid_argument(format!("gateway: 1 to {MAX_NAME} bytes are allowed")));
    }
    Ok(name)
}

fn too_many() -> Status {
    Status::resource_exhausted("there are too many gateways")
}
