//! The local gRPC listeners: xDS and the gateways' control service on one socket, and the control service alone over TLS
//! for gateways that run in pods.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

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
use super::guarded::Guarded;
use super::issue::IssueIdentity;
use super::service::GatewayControlService;
use super::tls::{MAX_CALLS, MAX_REQUEST, Tls, TlsListenError, TlsListener};
use crate::xds::{XdsServer, XdsStatus};

/// How often a connection over TLS is asked whether it still lives, and how long the answer may take: a machine that
/// vanished must not hold its place.
const PING: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(10));

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
    tls: Option<Tls>,
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
        Ok(Self { incoming, tls: None, xds, control, stop, gateways, status })
    }

    /// Listens for gateways over TLS as well. To be called before [`LocalApi::run`], at most once.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn with_tls(
        mut self,
        tls: TlsListener,
        registry: &mut Registry,
    ) -> Result<Self, TlsListenError> {
        self.tls = Some(tls.bind(registry).await?);
        Ok(self)
    }

    /// Where it listens over TLS, with the port that the system chose; none: it does not.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls.as_ref().map(|tls| tls.local)
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
        let Self { incoming, tls, xds, control, stop: streams, .. } = self;
        let stopping = async {
            stop.await;
            // Otherwise the servers would wait for streams that never end.
            streams.cancel();
            // The other server looks at the same token.
            futures::future::pending::<()>().await;
        };
        let local = Server::builder()
            .add_service(
                AggregatedDiscoveryServiceServer::new(xds).max_decoding_message_size(MAX_LOCAL_MESSAGE_BYTES),
            )
            .add_service(
                GatewayControlServer::new(control.clone())
                    .max_decoding_message_size(MAX_LOCAL_MESSAGE_BYTES)
                    .max_encoding_message_size(MAX_LOCAL_MESSAGE_BYTES),
            )
            .serve_with_incoming_shutdown(incoming, streams.clone().cancelled_owned());
        let pods = async {
            match tls {
                Some(tls) => serve_tls(tls, control, streams.clone()).await,
                None => Ok(()),
            }
        };
        tokio::select! {
            served = async { tokio::try_join!(local, pods) } => served.map(drop).map_err(LocalApiError::Serve),
            () = stopping => Ok(()),
        }
    }
}

/// Serves the gateways' service to bearers of good tokens.
async fn serve_tls(
    tls: Tls,
    control: GatewayControlService,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let Tls { incoming, guard, .. } = tls;
    let control = GatewayControlServer::new(control)
        .max_decoding_message_size(MAX_REQUEST)
        .max_encoding_message_size(MAX_LOCAL_MESSAGE_BYTES);
    Server::builder()
        .http2_keepalive_interval(Some(PING.0))
        .http2_keepalive_timeout(Some(PING.1))
        .max_concurrent_streams(Some(MAX_CALLS))
        .add_service(Guarded::new(control, guard))
        .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
        .await
}
