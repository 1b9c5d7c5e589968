//! One wanted address, from the first attempt to bind it until it is wanted no more.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use federation_kit::backoff::Backoff;
use federation_kit::bind::{self, BindError};
use federation_kit::exit::chain;
use federation_model::data_plane::ServicePortId;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::state::{ListenerState, ListenerStatus};
use super::{connection, socket};
use crate::listen;
use crate::plane::Plane;

/// Delays between attempts to bind one address.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(15));

/// How an address is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It is a VIP, which may not be ours yet.
    Vip,
    /// It is one of our own, the only one of its port or one of several.
    Own {
        /// Whether it is the only one.
        alone: bool,
    },
}

/// One wanted address.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) target: ServicePortId,
    how: How,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Never tried.
    New,
    /// Accepting, in a task that ends with the slot.
    Listening(AbortOnDropHandle<()>),
    /// To be tried again.
    Failed { error: String, backoff: Backoff, retry_at: Instant },
}

impl Slot {
    pub(super) fn new(target: ServicePortId, how: How) -> Self {
        Self { target, how, stage: Stage::New }
    }

    /// The task that accepts, told to end; to be awaited for the address to be free.
    pub(super) fn close(self) -> Option<AbortOnDropHandle<()>> {
        match self.stage {
            Stage::Listening(accepting) => {
                accepting.abort();
                Some(accepting)
            }
            Stage::New | Stage::Failed { .. } => None,
        }
    }

    pub(super) fn is_listening(&self) -> bool {
        matches!(&self.stage, Stage::Listening(accepting) if !accepting.is_finished())
    }

    /// When to try again; none if there is nothing to try, or it was never tried.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Failed { retry_at, .. } => Some(*retry_at),
            Stage::New | Stage::Listening(_) => None,
        }
    }

    /// Binds if it is time to. `room`: whether one more socket may be taken; if not, `full` says why.
    pub(super) async fn advance(
        &mut self,
        address: SocketAddr,
        plane: &Arc<Plane>,
        room: bool,
        full: impl FnOnce() -> String,
    ) {
        let backoff = match &self.stage {
            Stage::Listening(accepting) if !accepting.is_finished() => return,
            Stage::Failed { retry_at, .. } if *retry_at > Instant::now() => return,
            Stage::Failed { backoff, .. } => backoff.clone(),
            Stage::New | Stage::Listening(_) => Backoff::new(RETRY.0, RETRY.1),
        };
        if !room {
            self.failed(address, full(), backoff, plane);
            return;
        }
        match self.bind(address).await {
            Ok(listener) => {
                tracing::info!(%address, service = %self.target.service, "egress listener open");
                let accepting = tokio::spawn(accept(listener, Arc::clone(plane), self.target.clone()));
                self.stage = Stage::Listening(AbortOnDropHandle::new(accepting));
            }
            Err(error) => self.failed(address, chain(&error).to_string(), backoff, plane),
        }
    }

    async fn bind(&self, address: SocketAddr) -> Result<TcpListener, BindError> {
        match self.how {
            How::Vip => bind::tcp(address).await,
            How::Own { alone } => socket::bind(address, alone),
        }
    }

    fn failed(&mut self, address: SocketAddr, error: String, mut backoff: Backoff, plane: &Plane) {
        plane.metrics.bind_failures.inc();
        // Told once; status and report say what it is now.
        if matches!(self.stage, Stage::New) {
            tracing::warn!(%address, service = %self.target.service, error, "egress listener failed");
        }
        let retry_at = Instant::now() + backoff.next_delay();
        self.stage = Stage::Failed { error, backoff, retry_at };
    }

    pub(super) fn status(&self, listen: SocketAddr) -> ListenerStatus {
        let state = match &self.stage {
            Stage::Listening(_) => ListenerState::Listening,
            Stage::New => ListenerState::Failed("not tried yet".to_owned()),
            Stage::Failed { error, .. } => ListenerState::Failed(error.clone()),
        };
        ListenerStatus { listen, target: self.target.clone(), state }
    }
}

/// Accepts until aborted. Connections run in tasks of their own and survive the listener.
async fn accept(listener: TcpListener, plane: Arc<Plane>, target: ServicePortId) {
    loop {
        let (stream, room) = listen::accept(&listener, &plane, &plane.egress_room).await;
        let handled = connection::handle(Arc::clone(&plane), stream, target.clone(), room);
        plane.connections.spawn("egress connection", handled);
    }
}
