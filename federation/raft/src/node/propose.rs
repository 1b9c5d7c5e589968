//! The queue of writes: what is asked of this server, by its own services or by a follower, waits here for its entry.

use std::io;
use std::time::Duration;

use federation_model::Command;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::fair::Origin;
use crate::peer::wire::Committed;

/// Most proposals that wait at one server in the channel, and again in the backlog of the committer.
pub(super) const QUEUE: usize = 4_096;
/// Largest proposal, in encoded bytes: well under what one message between servers may carry.
pub(super) const PROPOSAL_BYTES: usize = 16 * 1024 * 1024;

/// Why commands were not committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// No leader committed it in time. It may be committed yet.
    #[error("no leader committed the change within {waited:?}; it may still happen")]
    NoLeader {
        /// How long was waited.
        waited: Duration,
    },
    /// This server does not lead, and was asked not to forward.
    #[error("this server is not the leader")]
    NotLeader,
    /// Too many changes wait already, of all or of whom this one is for.
    #[error("too many changes are waiting")]
    Busy,
    /// The commands are larger than an entry may be.
    #[error("change has more than {max} bytes")]
    TooLarge {
        /// The bound.
        max: usize,
    },
    /// The leader has no room on its disk, and nobody else leads.
    #[error("the leader has no room on its disk")]
    DiskFull,
    /// This server is shutting down.
    #[error("this server is stopping")]
    Stopped,
}

/// Where a proposal may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// To the leader, wherever it is.
    Anywhere,
    /// Into this server's log or nowhere: from another server, or from the leader's own chores.
    LeaderOnly,
}

/// Commands that wait for their entry.
#[derive(Debug)]
pub(super) struct Proposal {
    pub(super) origin: Origin,
    pub(super) commands: Vec<Command>,
    pub(super) bytes: usize,
    pub(super) route: Route,
    pub(super) asked: Instant,
    pub(super) deadline: Instant,
    pub(super) answer: oneshot::Sender<Result<Committed, ProposeError>>,
}

/// Hands commands to the queue. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Proposer {
    queue: mpsc::Sender<Proposal>,
}

impl Proposer {
    /// The queue's two ends. The other is the committer's.
    pub(super) fn new() -> (Self, mpsc::Receiver<Proposal>) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        (Self { queue }, waiting)
    }

    /// Commits `commands`, which are for `origin`, in order, in one entry.
    pub(crate) async fn propose(
        &self,
        origin: Origin,
        commands: Vec<Command>,
        route: Route,
        limit: Duration,
    ) -> Result<Committed, ProposeError> {
        let bytes = encoded_len(&commands);
        if bytes > PROPOSAL_BYTES {
            return Err(ProposeError::TooLarge { max: PROPOSAL_BYTES });
        }
        let asked = Instant::now();
        let (answer, answered) = oneshot::channel();
        let proposal = Proposal { origin, commands, bytes, route, asked, deadline: asked + limit, answer };
        match tokio::time::timeout(limit, self.queue.send(proposal)).await {
            Ok(Ok(())) => answered.await.unwrap_or(Err(ProposeError::Stopped)),
            Ok(Err(_)) => Err(ProposeError::Stopped),
            Err(_) => Err(ProposeError::Busy),
        }
    }
}

/// Length of the encoding, without keeping it. What cannot be encoded counts as too large.
fn encoded_len<T: Serialize + ?Sized>(value: &T) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    match rmp_serde::encode::write_named(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => usize::MAX,
    }
}
