//! The local gRPC listener: xDS and the gateways' control service on one socket.

use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server::AggregatedDiscoveryServiceServer;
use federation_api::MAX_LOCAL_MESSAGE_BYTES;
use federation_api::gateway::gateway_control_server::GatewayControlServer;
use federation_kit::bind::BindError;
use federation_kit::grpc::{LocalAddr, LocalIncoming};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use super::config::ConfigReceiver;
use super::gateways::Gateways;
use super::issue::IssueIdentity;
use super::service::GatewayControlService;
use crate::xds::{XdsServer, XdsStatus};

/// Why the listener does not serve.
#[derive(Debug, thiserror::Error)]
pub enum LocalApiError {
    /// The address is taken, absent or forbidden.
    #[error("cannot listen on {address}")]
    Bind {
        /// Where it was tried.
        address: LocalAddr,
        /// Why not.
        #[source]
        source: BindError,
    },
    /// Serving failed.
    #[error("local gRPC server failed")]
    Serve(#[source] tonic::transport::Error),
}

/// The listener, bound and not serving yet.
#[derive(Debug)]
pub struct LocalApi {
    incoming: LocalIncoming,
    xds: XdsServer,
    control: GatewayControlService,
    stop: CancellationToken,
    gateways: Gateways,
    status: XdsStatus,
}

impl LocalApi {
    /// Takes the address and registers the metrics.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn bind(
        address: &LocalAddr,
        config: ConfigReceiver,
        issuer: Arc<dyn IssueIdentity>,
        registry: &mut Registry,
    ) -> Result<Self, LocalApiError> {
        let bound = LocalIncoming::bind(address).await;
        let incoming = bound.map_err(|source| LocalApiError::Bind { address: address.clone(), source })?;
        let stop = CancellationToken::new();
        let (gateways, status) = (Gateways::default(), XdsStatus::default());
        let xds =
            XdsServer::new(config.clone(), Arc::clone(&issuer), status.clone(), stop.child_token(), registry);
        let control = GatewayControlService::new(config, issuer, gateways.clone(), stop.child_token());
        Ok(Self { incoming, xds, control, stop, gateways, status })
    }

    /// Where it listens, with the port that the system chose.
    pub fn local_addr(&self) -> LocalAddr {
        self.incoming.local_addr()
    }

    /// What the gateways said.
    pub fn gateways(&self) -> Gateways {
        self.gateways.clone()
    }

    /// What the Envoys have.
    pub fn xds_status(&self) -> XdsStatus {
        self.status.clone()
    }

    /// Serves until `stop`; then every stream ends, and calls that are being answered are finished.
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) -> Result<(), LocalApiError> {
        let Self { incoming, xds, control, stop: streams, .. } = self;
        let stopping = async move {
            stop.await;
            // Otherwise the server would wait for streams that never end.
            streams.cancel();
        };
        Server::builder()
            .add_service(
                AggregatedDiscoveryServiceServer::new(xds).max_decoding_message_size(MAX_LOCAL_MESSAGE_BYTES),
            )
            .add_service(
                GatewayControlServer::new(control)
                    .max_decoding_message_size(MAX_LOCAL_MESSAGE_BYTES)
                    .max_encoding_message_size(MAX_LOCAL_MESSAGE_BYTES),
            )
            .serve_with_incoming_shutdown(incoming, stopping)
            .await
            .map_err(LocalApiError::Serve)
    }
}
