//! What one watcher is told next. Pure: the catalogue and its changes come in as values.

use std::collections::VecDeque;

use federation_model::state::{Changes, Position};
use federation_model::{ClusterId, Incarnation, Item, ItemKey, Revision, State};

use super::base::{Bases, Reading};

/// Most pieces of the catalogue that are looked at in one go.
pub(super) const PAGE: usize = 64;

/// What is to be said, not yet encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// A snapshot begins.
    Begin,
    /// A piece as it is.
    Upsert(Item),
    /// A piece is gone, or hidden.
    Remove(ItemKey),
    /// A snapshot ends.
    End(Revision, Incarnation),
    /// Everything up to here was said.
    Complete(Revision),
}

/// How far a watcher is.
#[derive(Debug)]
pub(super) struct Feed {
    cluster: ClusterId,
    stage: Stage,
    /// Something was said after the last [`Piece::Complete`].
    unfinished: bool,
    /// Changes looked at and not asked about, visible or not.
    looked_at: usize,
}

#[derive(Debug)]
enum Stage {
    /// A snapshot is next.
    Nothing,
    /// Inside a snapshot, after this piece.
    Snapshot(Reading, Option<ItemKey>),
    /// Everything up to here was said.
    Following(Position),
}

/// Whether there is more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Perhaps: look again.
    Look,
    /// Everything up to this revision was said.
    Wait(Revision),
}

impl Feed {
    /// A watcher that has seen everything up to `seen`; nothing, for none.
    pub(super) fn new(cluster: ClusterId, seen: Option<Revision>) -> Self {
        let stage = seen.map_or(Stage::Nothing, |seen| Stage::Following(Position::end_of(seen)));
        Self { cluster, stage, unfinished: false, looked_at: 0 }
    }

    /// Up to where changes were said; none inside a snapshot.
    pub(super) fn position(&self) -> Option<Position> {
        match self.stage {
            Stage::Following(position) => Some(position),
            Stage::Nothing | Stage::Snapshot(..) => None,
        }
    }

    /// How many changes were looked at since this was asked last, visible or not.
    pub(super) fn looked_at(&mut self) -> usize {
        std::mem::take(&mut self.looked_at)
    }

    /// Appends one page to `out`, of a snapshot that has begun. False if none has: then the present is needed.
    pub(super) fn go_on(&mut self, bases: &Bases, out: &mut VecDeque<Piece>) -> bool {
        let Stage::Snapshot(reading, after) = &mut self.stage else { return false };
        let Some(base) = reading.state() else {
            self.stage = Stage::Nothing;
            return false;
        };
        let mut looked = 0;
        let page: Vec<ItemKey> = base.keys_after(after.as_ref()).take(PAGE).collect();
        for key in page {
            looked += 1;
            out.extend(base.visible(&self.cluster, &key).map(Piece::Upsert));
            *after = Some(key);
        }
        if looked < PAGE {
            out.push_back(Piece::End(base.revision(), base.incarnation()));
            let next = Stage::Following(Position::end_of(base.revision()));
            if let Stage::Snapshot(reading, _) = std::mem::replace(&mut self.stage, next) {
                drop(base);
                bases.end(reading);
            }
        }
        true
    }

    /// Appends to `out` what the present has to say: one page of changes, or the beginning of a snapshot.
    pub(super) fn pull(
        &mut self,
        state: &State,
        changes: &Changes,
        bases: &Bases,
        out: &mut VecDeque<Piece>,
    ) -> Next {
        let Stage::Following(position) = self.stage else { return self.begin(state, changes, bases, out) };
        let Some(mut after) = changes.after(position) else {
            return self.begin(state, changes, bases, out);
        };
        for (position, change) in after.by_ref().take(PAGE) {
            self.stage = Stage::Following(position);
            self.looked_at = self.looked_at.saturating_add(1);
            let key = change.key();
            let piece = match state.visible(&self.cluster, key) {
                Some(item) => Piece::Upsert(item),
                None if change.may_be_lost_to(&self.cluster) => Piece::Remove(key.clone()),
                None => continue,
            };
            out.push_back(piece);
            self.unfinished = true;
        }
        if after.next().is_some() {
            return Next::Look;
        }
        let revision = state.revision();
        self.stage = Stage::Following(Position::end_of(revision));
        if std::mem::take(&mut self.unfinished) {
            out.push_back(Piece::Complete(revision));
        }
        Next::Wait(revision)
    }

    fn begin(&mut self, state: &State, changes: &Changes, bases: &Bases, out: &mut VecDeque<Piece>) -> Next {
        out.push_back(Piece::Begin);
        self.stage = Stage::Snapshot(bases.begin(state, changes), None);
        self.unfinished = true;
        Next::Look
    }
}

#[cfg(test)]
mod tests;
