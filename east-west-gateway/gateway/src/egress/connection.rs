//! One call of a local client.

use std::sync::Arc;

use east_west_gateway_route::{RefusalReason, pick};
use federation_model::data_plane::{ServicePortId, Target, Via};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::client::TlsStream;

use crate::dial::{self, DialError, MtlsTarget};
use crate::metrics::{Direction, Mode};
use crate::plane::{MAX_ATTEMPTS, Plane};
use crate::relay;
use crate::track::{Purpose, Voucher};

/// The other end of a call.
enum Reached {
    Local(TcpStream),
    Remote(Box<TlsStream<TcpStream>>, Voucher),
}

pub(super) async fn handle(
    plane: Arc<Plane>,
    client: TcpStream,
    port: ServicePortId,
    _room: OwnedSemaphorePermit,
) {
    match reach(&plane, &port).await {
        Ok(server) => carry(&plane, client, server, port).await,
        Err(reason) => {
            plane.metrics.refused(reason);
            tracing::debug!(service = %port.service, port = port.port, reason = reason.label(), "call refused");
            // Nothing was ever answered: the client sees a failed connection, not an empty answer.
            relay::reset(&client);
        }
    }
}

/// Dials targets by the plan until one answers. The client's bytes are not read before: whatever fails here can be
/// tried elsewhere without the client noticing.
async fn reach(plane: &Plane, port: &ServicePortId) -> Result<Reached, RefusalReason> {
    let applied = plane.current().ok_or(RefusalReason::NotReady)?;
    let outbound = applied.config.egress.get(port).ok_or(RefusalReason::UnknownName)?;
    let order = pick::targets(outbound, rand::random(), MAX_ATTEMPTS);
    if order.is_empty() {
        return Err(RefusalReason::NoEndpoint);
    }
    for target in order {
        match dial_target(plane, target).await {
            Ok(reached) => return Ok(reached),
            Err(error) => {
                plane.metrics.dial_failures.inc();
                let error = federation_kit::exit::chain(&error);
                tracing::debug!(address = %target.address, cluster = %target.cluster, %error, "target not reached");
            }
        }
    }
    Err(RefusalReason::Unreachable)
}

async fn dial_target(plane: &Plane, target: &Target) -> Result<Reached, DialError> {
    let limit = plane.limits.dial();
    match &target.via {
        Via::Plain => dial::plain(target.address, limit).await.map(Reached::Local),
        Via::Mtls { sni, trust_domain, expect } => {
            let target = MtlsTarget { address: target.address, sni, trust_domain, expect };
            let (stream, voucher) = dial::mtls(target, plane.credentials(), limit).await?;
            Ok(Reached::Remote(Box::new(stream), voucher))
        }
    }
}

async fn carry(plane: &Plane, client: TcpStream, server: Reached, port: ServicePortId) {
    let (voucher, mode) = match &server {
        Reached::Local(_) => (None, Mode::Plain),
        Reached::Remote(_, voucher) => (Some(voucher.clone()), Mode::Originate),
    };
    let mut live = match plane.tracker.enter(Purpose::Outbound { port, voucher }) {
        Ok(live) => live,
        Err(_reason) => {
            plane.metrics.refused(RefusalReason::UnknownName);
            return relay::reset(&client);
        }
    };
    let bytes = plane.metrics.bytes(Direction::Egress);
    let limits = plane.relay_limits();
    let _carried = plane.metrics.carried(Direction::Egress, mode);
    let ended = match server {
        Reached::Local(server) => relay::between_plain(client, server, &bytes, limits, &mut live).await,
        Reached::Remote(server, _) => {
            relay::between_tls_and_plain(client, server, &bytes, limits, &mut live, |client, _server| {
                relay::reset(client)
            })
            .await
        }
    };
    plane.metrics.ended(ended.label());
}
