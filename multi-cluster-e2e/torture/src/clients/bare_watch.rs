//! A watch without a client library: every message is noted as it came.

use std::sync::Arc;
use std::time::Duration;

use federation_api::convert::item::decoded;
use federation_api::federation as wire;
use federation_api::federation::watch_response::Message;
use federation_model::{Item, ItemKey, Revision};
use multi_cluster_e2e_history::{Event, Piece, PieceName, Slot, Viewer, WatcherName};
use rand::seq::IteratorRandom;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::member::{Member, TIMING};
use super::objects::write_of;
use crate::recorder::Recorder;

/// Pause before another server is asked.
const PAUSE: Duration = Duration::from_millis(100);
/// A stream is given up after so many messages, to resume elsewhere.
const MESSAGES: std::ops::Range<u32> = 50..400;

/// A running watch; it ends when it is dropped.
#[derive(Debug)]
pub struct BareWatch {
    /// Under which it is noted.
    pub watcher: WatcherName,
    task: JoinHandle<()>,
}

impl BareWatch {
    /// Watches as `member`; goes from server to server of its own accord if it is `restless`.
    pub fn start(member: Arc<Member>, restless: bool, recorder: Recorder) -> Self {
        let watcher = WatcherName(format!("{} (bare)", member.cluster));
        let stream = Stream {
            member,
            watcher: watcher.clone(),
            recorder,
            cursor: Revision(0),
            incarnation: 0,
            restless,
        };
        Self { watcher, task: tokio::spawn(stream.run()) }
    }
}

impl Drop for BareWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Stream {
    member: Arc<Member>,
    watcher: WatcherName,
    recorder: Recorder,
    cursor: Revision,
    incarnation: u64,
    restless: bool,
}

impl Stream {
    async fn run(mut self) {
        loop {
            let address =
                self.member.servers.addresses().into_values().choose(&mut rand::rng()).unwrap_or_default();
            // Whatever ended it, another server is asked: that a watch is never served again shows when all settles.
            let _ = self.session(&address).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn session(&mut self, address: &str) -> anyhow::Result<()> {
        let mut stub = self.member.dial(address)?;
        let request =
            wire::WatchRequest { resume_revision: self.cursor.0, resume_incarnation: self.incarnation };
        let mut messages = timeout(TIMING.answer, stub.watch(request)).await??.into_inner();
        self.recorder.watched([Event::Connected {
            watcher: self.watcher.clone(),
            viewer: Viewer::Cluster(self.member.cluster.clone()),
            server: self.member.servers.name_of(address),
        }]);
        let mut left =
            if self.restless { rand::Rng::random_range(&mut rand::rng(), MESSAGES) } else { u32::MAX };
        let mut changed = false;
        while let Some(message) = timeout(TIMING.silence, messages.message()).await?? {
            let Some(message) = message.message else { continue };
            changed |= !matches!(message, Message::Progress(_));
            if let Message::SnapshotEnd(end) = &message {
                self.incarnation = end.incarnation;
            }
            let Some(event) = self.event(message)? else { continue };
            if let Event::SnapshotEnded { revision, .. } | Event::Progressed { revision, .. } = &event {
                // What is said every second while nothing happens is noted once.
                let news = std::mem::take(&mut changed) || *revision != self.cursor;
                self.cursor = *revision;
                if !news {
                    continue;
                }
            }
            self.recorder.watched([event]);
            left = left.saturating_sub(1);
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    /// None for pieces of which nothing is recorded.
    fn event(&self, message: Message) -> anyhow::Result<Option<Event>> {
        let watcher = self.watcher.clone();
        Ok(match message {
            Message::SnapshotBegin(_) => Some(Event::SnapshotBegan { watcher }),
            Message::SnapshotEnd(end) => {
                Some(Event::SnapshotEnded { watcher, revision: Revision(end.revision) })
            }
            Message::Progress(progress) => {
                Some(Event::Progressed { watcher, revision: Revision(progress.revision) })
            }
            Message::Upsert(item) => {
                let piece = match decoded(item)? {
                    Some(Item::Export(export)) => Some(Piece::Export {
                        write: write_of(&export),
                        slot: Slot { service: export.service.clone(), cluster: export.cluster.clone() },
                    }),
                    Some(Item::Vip(service, vip)) => Some(Piece::Vip { service, vip }),
                    Some(Item::Cluster(_) | Item::Bundle(_)) | None => None,
                };
                piece.map(|piece| Event::Upserted { watcher, piece })
            }
            Message::Remove(key) => {
                let name = match ItemKey::try_from(key)? {
                    ItemKey::Export(service, cluster) => Some(PieceName::Export(Slot { service, cluster })),
                    ItemKey::Vip(service) => Some(PieceName::Vip(service)),
                    ItemKey::Cluster(_) | ItemKey::Bundle(_) => None,
                };
                name.map(|name| Event::Removed { watcher, name })
            }
        })
    }
}
