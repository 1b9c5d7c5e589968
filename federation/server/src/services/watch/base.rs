//! The catalogue as it was at one moment, for watchers that begin with all of it.
//!
//! Any moment will do that the list of changes still reaches back to: what came after it follows. So whoever begins
//! shares what another has begun with. The catalogue's versions share what did not change, and the watchers hold none of
//! them: at most two are kept, however many watchers there are and however slow they are. One that is so slow
//! that its version was given up begins again.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use federation_model::State;
use federation_model::state::{Changes, Position};

/// How many changes may have come after a version that somebody new begins with: more would be sent twice.
const FRESH: usize = 4_096;

/// The versions that are being read.
#[derive(Debug, Default)]
pub(super) struct Bases {
    /// The newest last.
    kept: Mutex<Vec<Kept>>,
}

#[derive(Debug)]
struct Kept {
    state: Arc<State>,
    readers: Weak<()>,
}

/// One reader's hold on a version.
#[derive(Debug)]
pub(super) struct Reading {
    state: Weak<State>,
    _counted: Arc<()>,
}

impl Reading {
    /// The version; none if it was given up.
    pub(super) fn state(&self) -> Option<Arc<State>> {
        self.state.upgrade()
    }
}

impl Bases {
    /// Most versions kept.
    pub(super) const MOST: usize = 2;

    /// A version to begin with: one that is being read, if it is fresh enough, or that of now.
    pub(super) fn begin(&self, state: &State, changes: &Changes) -> Reading {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.readers.strong_count() > 0);
        if let Some(newest) = kept.last()
            && is_fresh(&newest.state, changes)
            && let Some(readers) = newest.readers.upgrade()
        {
            return Reading { state: Arc::downgrade(&newest.state), _counted: readers };
        }
        let (state, counted) = (Arc::new(state.clone()), Arc::new(()));
        let reading = Reading { state: Arc::downgrade(&state), _counted: Arc::clone(&counted) };
        if kept.len() >= Self::MOST {
            kept.remove(0);
        }
        kept.push(Kept { state, readers: Arc::downgrade(&counted) });
        reading
    }

    /// Lets go of what nobody reads any more.
    pub(super) fn end(&self, reading: Reading) {
        drop(reading);
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|kept| kept.readers.strong_count() > 0);
    }

    /// How many versions are kept.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.kept.lock().unwrap().len()
    }
}

fn is_fresh(base: &State, changes: &Changes) -> bool {
    changes.after(Position::end_of(base.revision())).is_some_and(|mut after| after.nth(FRESH).is_none())
}
