//! What a cluster may see, served from this server's applied state.
//!
//! The stream is pulled: nothing is read from the catalogue before the transport has taken what was read before. A slow
//! watcher therefore costs one page of pieces, which are shared with the catalogue, and sees many changes of one thing as
//! one. What it is told, and in which order, is in docs/design/watch.md.
//!
//! Reading order: [`base`] and [`feed`] (what is said next) → [`pace`] (when) → [`encoder`] (once for all) → [`lag`] → this.

mod base;
mod encoder;
mod feed;
mod lag;
mod pace;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use federation_api::federation as wire;
use federation_api::federation::watch_response::Message;
use federation_model::{ClusterId, Incarnation, Revision};
use futures::{TryStreamExt, stream};
use prost::Message as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::{Code, Status};

use self::base::Bases;
use self::encoder::Encoder;
use self::feed::{Feed, Next, Piece};
use self::lag::Reached;
pub use self::lag::{Lag, Lags};
use self::pace::Pace;
use super::{Answers, Context};
use crate::limits::Slot;

/// `Progress` comes at least this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// How long to wait for this server to reach what a watcher has seen elsewhere. Less than agents wait for a first word.
const CATCH_UP: Duration = Duration::from_secs(2);
/// Bytes that gRPC puts before each message.
const FRAMING: usize = 5;

/// What all watches of a server share.
#[derive(Debug, Default)]
pub struct Shared {
    bases: Bases,
    encoder: Encoder,
    /// How far each of them is.
    pub lags: Arc<Lags>,
}

/// How far a watcher was when its last stream ended. Time in the federation is this pair, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    pub(super) incarnation: Incarnation,
    /// Zero: nothing.
    pub(super) revision: Revision,
}

struct Watch {
    context: Arc<Context>,
    /// The last revision that changed anything.
    news: watch::Receiver<Revision>,
    feed: Feed,
    pending: VecDeque<Piece>,
    pace: Pace,
    reached: Arc<Reached>,
    progress_due: Instant,
    _slot: Slot,
}

pub(super) fn watch(
    context: Arc<Context>,
    cluster: ClusterId,
    slot: Slot,
    seen: Seen,
) -> Answers<wire::WatchResponse> {
    let opened = stream::once(Watch::open(context, cluster, slot, seen));
    let follow = |watch| {
        stream::try_unfold(watch, |mut watch: Watch| async move {
            let message = watch.next().await?;
            Ok(Some((message, watch)))
        })
    };
    Box::pin(opened.map_ok(follow).try_flatten())
}

/// From where to go on: after what was seen, or from nothing. A server that is behind its watcher waits, and then says
/// so: another one may be further. It never takes the watcher back in time. One that has nothing yet is behind everybody: what
/// it shows must not be taken for an empty catalogue, and its revisions are of no life.
async fn resume(context: &Context, seen: Seen) -> Result<Option<Revision>, Status> {
    let mut applied = context.node.applied();
    let deadline = Instant::now() + CATCH_UP;
    loop {
        let (begun, present) = context.node.read(|state, _| {
            let present = Seen { incarnation: state.incarnation(), revision: state.revision() };
            (!state.is_pristine(), present)
        });
        if begun && (seen.revision == Revision(0) || present.incarnation > seen.incarnation) {
            // Nothing was seen, or it was of another life: its revisions mean nothing here.
            return Ok(None);
        }
        if begun && present >= seen {
            return Ok(Some(seen.revision));
        }
        if !matches!(timeout_at(deadline, applied.changed()).await, Ok(Ok(()))) {
            let message = if begun {
                let (here, there) = (present.revision, seen.revision);
                format!("this server is at revision {here}, behind the watcher's {there}")
            } else {
                "this server has nothing of the catalogue yet".to_owned()
            };
            return Err(context.refused(Code::Unavailable, "behind", message));
        }
    }
}

impl Watch {
    async fn open(context: Arc<Context>, cluster: ClusterId, slot: Slot, seen: Seen) -> Result<Self, Status> {
        let resume = resume(&context, seen).await?;
        Ok(Self {
            news: context.node.news(),
            reached: context.watch.lags.open(cluster.clone()),
            context,
            feed: Feed::new(cluster, resume),
            pending: VecDeque::new(),
            pace: Pace::default(),
            progress_due: Instant::now(),
            _slot: slot,
        })
    }

    async fn next(&mut self) -> Result<wire::WatchResponse, Status> {
        loop {
            if let Some(piece) = self.pending.pop_front() {
                return Ok(self.message(&piece));
            }
            if let Some(until) = self.pace.rests() {
                tokio::select! {
                    () = sleep_until(until) => {}
                    () = self.context.drain.wait() => {
                        return Err(Status::unavailable("this server is stopping"));
                    }
                }
            }
            // Marked as seen before the state is read: an entry applied in between wakes the next round.
            self.news.mark_unchanged();
            let next = self.read();
            self.reached.set(self.feed.position());
            if matches!(next, Next::Wait(_)) {
                self.pace.looked_at(self.feed.looked_at(), self.context.metrics.watchers.get());
            }
            let revision = match next {
                Next::Wait(revision) if self.pending.is_empty() => revision,
                _ => {
                    // Whoever sees little of a lot must let others run meanwhile.
                    tokio::task::coop::consume_budget().await;
                    continue;
                }
            };
            tokio::select! {
                changed = self.news.changed() => {
                    if changed.is_err() {
                        return Err(Status::unavailable("this server is stopping"));
                    }
                }
                () = sleep_until(self.progress_due) => self.pending.push_back(Piece::Complete(revision)),
                () = self.context.drain.wait() => {
                    return Err(Status::unavailable("this server is stopping"));
                }
            }
        }
    }

    fn read(&mut self) -> Next {
        let Self { context, feed, pending, .. } = self;
        let bases = &context.watch.bases;
        if feed.go_on(bases, pending) {
            return Next::Look;
        }
        context.node.read(|state, changes| feed.pull(state, changes, bases, pending))
    }

    fn message(&mut self, piece: &Piece) -> wire::WatchResponse {
        let message = match piece {
            Piece::Begin => Message::SnapshotBegin(wire::SnapshotBegin {}),
            Piece::Upsert(item) => Message::Upsert(self.context.watch.encoder.item(item)),
            Piece::Remove(key) => Message::Remove(key.into()),
            Piece::End(revision, incarnation) => {
                Message::SnapshotEnd(wire::SnapshotEnd { revision: revision.0, incarnation: incarnation.0 })
            }
            Piece::Complete(revision) => {
                self.progress_due = Instant::now() + PROGRESS_EVERY;
                Message::Progress(wire::Progress {
                    revision: revision.0,
                    leader_unix_millis: self.context.node.last_batch_at().0,
                })
            }
        };
        let message = wire::WatchResponse { message: Some(message) };
        self.context.metrics.watch_sent.inc_by((message.encoded_len() + FRAMING) as u64);
        message
    }
}
