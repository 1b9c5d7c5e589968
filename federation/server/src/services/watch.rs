//! What a cluster may see, served from this server's applied state.
//!
//! The stream is pulled: nothing is read from the catalogue before the transport has taken what was read before. A slow
//! watcher therefore costs one buffer, and sees many changes of one thing as one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use federation_api::federation as wire;
use federation_api::federation::watch_response::Message;
use federation_model::{ClusterId, Item, ItemKey, Revision};
use futures::stream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tonic::Status;

use super::{Answers, Context};
use crate::limits::Slot;

/// `Progress` comes at least this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// How long to wait for this server to reach the revision that a watcher resumes from. One that is never reached is of
/// another life of the federation, and gets a snapshot.
const CATCH_UP: Duration = Duration::from_secs(5);

struct Watch {
    context: Arc<Context>,
    cluster: ClusterId,
    applied: watch::Receiver<Revision>,
    /// Everything up to here was sent, or is in `pending`.
    cursor: Option<Revision>,
    pending: VecDeque<Piece>,
    progress_due: Instant,
    _slot: Slot,
}

/// What is still to be sent, not yet converted.
enum Piece {
    Begin,
    Upsert(Item),
    Remove(ItemKey),
    End(Revision),
    Progress(Revision),
}

pub(super) fn watch(
    context: Arc<Context>,
    cluster: ClusterId,
    slot: Slot,
    resume: Revision,
) -> Answers<wire::WatchResponse> {
    let watch = Watch {
        applied: context.node.applied(),
        context,
        cluster,
        cursor: (resume > Revision(0)).then_some(resume),
        pending: VecDeque::new(),
        progress_due: Instant::now(),
        _slot: slot,
    };
    Box::pin(stream::unfold((Some(watch), true), |(watch, first)| async move {
        let mut watch = watch?;
        if first {
            watch.catch_up().await;
        }
        match watch.next().await {
            Ok(answer) => Some((Ok(answer), (Some(watch), false))),
            Err(status) => Some((Err(status), (None, false))),
        }
    }))
}

impl Watch {
    /// A watcher that comes from a server that was ahead of this one.
    async fn catch_up(&mut self) {
        if let Some(cursor) = self.cursor
            && !self.context.node.wait_applied(cursor, CATCH_UP).await
        {
            self.cursor = None;
        }
    }

    async fn next(&mut self) -> Result<wire::WatchResponse, Status> {
        loop {
            if let Some(piece) = self.pending.pop_front() {
                return Ok(self.message(piece));
            }
            // Marked as seen before the state is read: an entry applied in between wakes the next round.
            self.applied.mark_unchanged();
            self.read();
            if !self.pending.is_empty() {
                continue;
            }
            tokio::select! {
                changed = self.applied.changed() => {
                    if changed.is_err() {
                        return Err(Status::unavailable("this server is stopping"));
                    }
                }
                () = sleep_until(self.progress_due) => {
                    let revision = self.cursor.unwrap_or_default();
                    self.pending.push_back(Piece::Progress(revision));
                }
                () = self.context.drain.wait() => {
                    return Err(Status::unavailable("this server is stopping"));
                }
            }
        }
    }

    /// Takes in what changed after the cursor, at one revision.
    fn read(&mut self) {
        let (cluster, pending, cursor) = (&self.cluster, &mut self.pending, &mut self.cursor);
        self.context.node.read(|state, changes| {
            let revision = state.revision();
            match cursor.and_then(|cursor| changes.since(cursor)) {
                None => {
                    pending.push_back(Piece::Begin);
                    pending.extend(state.snapshot_for(cluster).into_iter().map(Piece::Upsert));
                    pending.push_back(Piece::End(revision));
                    pending.push_back(Piece::Progress(revision));
                }
                Some(keys) if keys.is_empty() => {}
                Some(keys) => {
                    pending.extend(keys.into_iter().map(|key| match state.visible(cluster, key) {
                        Some(item) => Piece::Upsert(item),
                        None => Piece::Remove(key.clone()),
                    }));
                    pending.push_back(Piece::Progress(revision));
                }
            }
            *cursor = Some(revision);
        });
    }

    fn message(&mut self, piece: Piece) -> wire::WatchResponse {
        let message = match piece {
            Piece::Begin => Message::SnapshotBegin(wire::SnapshotBegin {}),
            Piece::Upsert(item) => Message::Upsert((&item).into()),
            Piece::Remove(key) => Message::Remove((&key).into()),
            Piece::End(revision) => Message::SnapshotEnd(wire::SnapshotEnd { revision: revision.0 }),
            Piece::Progress(revision) => {
                self.progress_due = Instant::now() + PROGRESS_EVERY;
                Message::Progress(wire::Progress {
                    revision: revision.0,
                    leader_unix_millis: self.context.node.last_batch_at().0,
                })
            }
        };
        wire::WatchResponse { message: Some(message) }
    }
}
