//! The two ways in: relayed untouched, or ended here.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use east_west_gateway_route::{RefusalReason, authorize, pick};
use federation_model::data_plane::ServicePortId;
use tokio::io::AsyncWriteExt;

use crate::applied::Applied;
use crate::metrics::{Direction, Mode};
use crate::plane::{MAX_ATTEMPTS, Plane};
use crate::relay;
use crate::tls::{self, Greeted, Verdict};
use crate::track::{CloseReason, Purpose};

/// The endpoints to try, in order.
pub(super) fn order(endpoints: &BTreeSet<SocketAddr>) -> Vec<SocketAddr> {
    pick::endpoints(endpoints, rand::random(), MAX_ATTEMPTS)
}

/// Relays to an endpoint that ends the TLS itself. The hello is given to it first, byte for byte.
pub(super) async fn relay(
    plane: &Plane,
    target: ServicePortId,
    endpoints: &[SocketAddr],
    greeted: Greeted,
) -> Result<(), RefusalReason> {
    let mut live = plane.tracker.enter(Purpose::Relayed { target }).map_err(refusal)?;
    let mut server = plane.dial_endpoint(endpoints).await?;
    server.write_all(&greeted.bytes).await.map_err(|_| RefusalReason::Unreachable)?;
    let bytes = plane.metrics.bytes(Direction::Ingress);
    bytes.from_client.inc_by(greeted.bytes.len() as u64);
    drop(greeted.bytes);
    let _carried = plane.metrics.carried(Direction::Ingress, Mode::Relay);
    let ended = relay::between_plain(greeted.stream, server, &bytes, plane.relay_limits(), &mut live).await;
    plane.metrics.ended(ended.label());
    Ok(())
}

/// Ends the caller's TLS, and relays to an endpoint if the caller may.
pub(super) async fn terminate(
    plane: &Plane,
    applied: Arc<Applied>,
    verdict: Verdict,
    greeted: Greeted,
) -> Result<(), RefusalReason> {
    let target = match &verdict {
        Verdict::Ask(target) => Ok(target.clone()),
        Verdict::Refuse(reason) => Err(*reason),
    };
    let limit = Duration::from_secs(plane.limits.handshake_seconds);
    let (client, caller) = tls::accept(greeted, applied, verdict, plane.credentials(), limit).await?;
    let target = target?;
    let purpose = Purpose::Terminated { target: target.clone(), caller: caller.clone() };
    let mut live = plane.tracker.enter(purpose).map_err(refusal)?;
    let endpoints = match plane.current() {
        Some(now) => order(authorize(&now.config, &target, &caller.id)?.endpoints),
        None => return Err(RefusalReason::NotReady),
    };
    let server = plane.dial_endpoint(&endpoints).await?;
    let bytes = plane.metrics.bytes(Direction::Ingress);
    let _carried = plane.metrics.carried(Direction::Ingress, Mode::Terminate);
    let ended = relay::between_tls_and_plain(
        client,
        server,
        &bytes,
        plane.relay_limits(),
        &mut live,
        |_client, server| relay::reset(server),
    )
    .await;
    plane.metrics.ended(ended.label());
    tracing::debug!(caller = %caller.id, service = %target.service, port = target.port, ended = ended.label(), "call ended");
    Ok(())
}

fn refusal(reason: CloseReason) -> RefusalReason {
    match reason {
        CloseReason::NoLongerAllowed(reason) => reason,
        CloseReason::TrustWithdrawn => RefusalReason::UnknownIssuer,
        CloseReason::NoLongerImported => RefusalReason::UnknownName,
        CloseReason::Draining => RefusalReason::NotReady,
    }
}
