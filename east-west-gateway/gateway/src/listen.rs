//! Connections from other clusters: accepted, read as far as their hello, and sent where the hello says.

use std::sync::Arc;
use std::time::Duration;

use east_west_gateway_route::{Decision, RefusalReason, decide};
use federation_kit::drain::DrainWatcher;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

pub mod farewell;
pub mod hello;
mod ingress;

pub use farewell::farewell;

use crate::applied::Applied;
use crate::dial;
use crate::plane::Plane;
use crate::tls::{Greeted, Verdict};

/// How long to wait after an error that is not one client's, such as too many open files: trying again at once would
/// only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts until the drain begins; the listener is closed then, and what was accepted goes on.
pub async fn serve(listener: TcpListener, plane: Arc<Plane>, drain: DrainWatcher) {
    loop {
        let (stream, room) = tokio::select! {
            () = drain.wait() => return,
            accepted = accept(&listener, &plane, &plane.ingress_room) => accepted,
        };
        let handled = handle(Arc::clone(&plane), stream, room);
        plane.connections.spawn("ingress connection", handled);
    }
}

/// The next connection for which there is room. Others are closed at once: a client that is told so can go elsewhere,
/// one that waits in a queue cannot.
pub async fn accept(
    listener: &TcpListener,
    plane: &Plane,
    room: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match Arc::clone(room).try_acquire_owned() {
                Ok(permit) => {
                    dial::tune(&stream);
                    return (stream, permit);
                }
                Err(_full) => plane.metrics.refused(RefusalReason::TooManyConnections),
            },
            Err(error) => {
                plane.metrics.accept_failures.inc();
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn handle(plane: Arc<Plane>, stream: TcpStream, _room: OwnedSemaphorePermit) {
    let peer = stream.peer_addr().ok();
    if let Err(reason) = ingress(&plane, stream).await {
        plane.metrics.refused(reason);
        tracing::debug!(
            peer = peer.map(tracing::field::display),
            reason = reason.label(),
            "connection refused"
        );
    }
}

async fn ingress(plane: &Plane, stream: TcpStream) -> Result<(), RefusalReason> {
    let greeted = greet(plane, stream).await?;
    let Some(applied) = plane.current().filter(|_| plane.identity.get().is_some()) else {
        return Err(RefusalReason::NotReady);
    };
    route(plane, applied, greeted).await
}

/// Reads the hello; a client that sent something else is told so where TLS has words for it.
async fn greet(plane: &Plane, mut stream: TcpStream) -> Result<Greeted, RefusalReason> {
    let limit = Duration::from_secs(plane.limits.hello_seconds);
    match timeout(limit, hello::read(&mut stream)).await {
        Ok(Ok((hello, bytes))) => Ok(Greeted { stream, bytes, hello }),
        Ok(Err(reason)) => {
            match reason {
                RefusalReason::MalformedHello | RefusalReason::LongHello => {
                    farewell::tell(stream, &farewell::DECODE_ERROR).await;
                }
                _ => farewell(stream).await,
            }
            Err(reason)
        }
        Err(_elapsed) => Err(RefusalReason::SlowHello),
    }
}

async fn route(plane: &Plane, applied: Arc<Applied>, greeted: Greeted) -> Result<(), RefusalReason> {
    match decide(&applied.config, &greeted.hello) {
        Decision::Relay { target, endpoints } => {
            let order = ingress::order(endpoints);
            ingress::relay(plane, target, &order, greeted).await
        }
        Decision::Terminate { target } => {
            ingress::terminate(plane, Arc::clone(&applied), Verdict::Ask(target), greeted).await
        }
        // By the hello alone, whatever it names: there is no handshake that such a client could end.
        Decision::Refuse(RefusalReason::OldVersion) => {
            farewell::tell(greeted.stream, &farewell::PROTOCOL_VERSION).await;
            Err(RefusalReason::OldVersion)
        }
        Decision::Refuse(reason) => {
            ingress::terminate(plane, Arc::clone(&applied), Verdict::Refuse(reason), greeted).await
        }
    }
}
