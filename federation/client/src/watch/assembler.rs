//! From messages to views. A view is published at consistent points only: the end of a snapshot, or a `Progress`.

use std::cmp::Ordering;
use std::sync::Arc;

use federation_api::convert::ConvertError;
use federation_api::convert::item::decoded;
use federation_api::federation as wire;
use federation_model::{FederationView, Incarnation, ItemKey, Revision, UnixMillis};
use wire::watch_response::Message;

/// Most pieces that one snapshot may bring.
pub(super) const MAX_ITEMS: usize = 1_000_000;

/// Why a stream cannot be followed further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// A piece that cannot be understood.
    Item(ConvertError),
    /// A message out of place.
    Protocol(&'static str),
}

/// What a message led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// More must come before there is anything to see.
    More,
    /// Everything up to `revision` is known. With a view if it differs from the last one.
    Consistent { revision: Revision, leader_time: Option<UnixMillis>, view: Option<Arc<FederationView>> },
}

#[derive(Debug)]
enum Stage {
    /// Nothing, or changes since the published view.
    Following,
    /// Inside a snapshot, with so many pieces so far.
    Snapshot { pieces: usize },
}

#[derive(Debug)]
pub(super) struct Assembler {
    published: Arc<FederationView>,
    /// Everything up to here is in `published`, which may be from before: revisions pass without a change to it.
    revision: Revision,
    next: FederationView,
    changed: bool,
    stage: Stage,
}

impl Assembler {
    pub(super) fn new(last_known_good: Arc<FederationView>) -> Self {
        let (revision, next) = (last_known_good.revision, (*last_known_good).clone());
        Self { published: last_known_good, revision, next, changed: false, stage: Stage::Following }
    }

    /// A stream begins. What the last one left unfinished is forgotten; returns where to continue.
    pub(super) fn begin(&mut self) -> (Incarnation, Revision) {
        if self.changed || !matches!(self.stage, Stage::Following) {
            self.next = (*self.published).clone();
            self.changed = false;
            self.stage = Stage::Following;
        }
        (self.published.incarnation, self.revision)
    }

    pub(super) fn apply(&mut self, message: wire::WatchResponse) -> Result<Step, Broken> {
        // A kind of message that only a later version knows.
        let Some(message) = message.message else { return Ok(Step::More) };
        match message {
            Message::SnapshotBegin(_) => {
                self.next = FederationView::default();
                self.stage = Stage::Snapshot { pieces: 0 };
                Ok(Step::More)
            }
            Message::Upsert(encoded) => {
                if let Stage::Snapshot { pieces } = &mut self.stage {
                    *pieces += 1;
                    if *pieces > MAX_ITEMS {
                        return Err(Broken::Protocol("the snapshot has too many pieces"));
                    }
                }
                if let Some(item) = decoded(encoded).map_err(Broken::Item)? {
                    self.next.upsert(item);
                    self.changed = true;
                }
                Ok(Step::More)
            }
            Message::Remove(key) => {
                if matches!(self.stage, Stage::Snapshot { .. }) {
                    return Err(Broken::Protocol("a removal inside a snapshot"));
                }
                if key.key.is_some() {
                    self.next.remove(&ItemKey::try_from(key).map_err(Broken::Item)?);
                    self.changed = true;
                }
                Ok(Step::More)
            }
            Message::SnapshotEnd(end) => {
                if !matches!(self.stage, Stage::Snapshot { .. }) {
                    return Err(Broken::Protocol("the end of a snapshot that did not begin"));
                }
                let (incarnation, revision) = (Incarnation(end.incarnation), Revision(end.revision));
                if self.goes_back(incarnation, revision) {
                    return Err(Broken::Protocol("the snapshot is older than what was seen before"));
                }
                self.stage = Stage::Following;
                self.next.incarnation = incarnation;
                self.revision = revision;
                self.changed = true;
                Ok(self.consistent(None))
            }
            Message::Progress(progress) => {
                if matches!(self.stage, Stage::Snapshot { .. }) {
                    return Err(Broken::Protocol("progress inside a snapshot"));
                }
                self.revision = self.revision.max(Revision(progress.revision));
                Ok(self.consistent(Some(UnixMillis(progress.leader_unix_millis))))
            }
        }
    }

    /// Whether a snapshot would take the view back in time. One without an incarnation is of a server from before there
    /// were any, and is taken at its word.
    fn goes_back(&self, incarnation: Incarnation, revision: Revision) -> bool {
        let present = self.published.incarnation;
        match incarnation.cmp(&present) {
            Ordering::Less => incarnation != Incarnation(0),
            Ordering::Equal => revision < self.revision,
            Ordering::Greater => false,
        }
    }

    fn consistent(&mut self, leader_time: Option<UnixMillis>) -> Step {
        let view = std::mem::take(&mut self.changed).then(|| {
            self.next.revision = self.revision;
            self.published = Arc::new(self.next.clone());
            Arc::clone(&self.published)
        });
        Step::Consistent { revision: self.revision, leader_time, view }
    }
}

#[cfg(test)]
mod tests;
