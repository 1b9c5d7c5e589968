//! Which entries of the leader's own log are on its disk.
//!
//! A leader sends an entry to its followers while its own disk still writes it (Ongaro's dissertation, section 10.2.1),
//! so openraft is told at once that it is in the log. Until the disk has confirmed it nothing may come of that: the
//! entry is not applied here, and no follower hears that it is committed. Whatever is acknowledged, applied or shown
//! anywhere is therefore on the disks of a majority, the leader's among them.

use tokio::sync::watch;

use super::error::StoreError;
use super::flush::Failed;

/// What waits for the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Pending {
    /// The first and the last entry that may not be on disk.
    range: Option<(u64, u64)>,
}

impl Pending {
    fn write(&mut self, first: u64, last: u64) {
        self.range = Some(self.range.map_or((first, last), |(earlier, _)| (earlier, last)));
    }

    fn flush(&mut self, upto: u64) {
        self.range = self.range.filter(|(_, last)| *last > upto).map(|(_, last)| (upto + 1, last));
    }

    fn holds(&self, upto: u64) -> bool {
        self.range.is_some_and(|(first, _)| first <= upto)
    }
}

type State = Result<Pending, Failed>;

/// Told by whoever writes and whoever flushes, in the order in which they do.
#[derive(Debug)]
pub(super) struct Writing(watch::Sender<State>);

/// For whoever must wait. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Durable(watch::Receiver<State>);

impl Writing {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Ok(Pending::default())))
    }

    pub(super) fn durable(&self) -> Durable {
        Durable(self.0.subscribe())
    }

    /// Entries were written, and nothing says yet that they are on disk.
    pub(super) fn written(&self, first: u64, last: u64) {
        self.modify(|pending| pending.write(first, last));
    }

    /// A flush that began after `upto` was written has ended.
    pub(super) fn flushed(&self, upto: u64, result: Result<(), Failed>) {
        match result {
            Ok(()) => self.modify(|pending| pending.flush(upto)),
            Err(failed) => drop(self.0.send_replace(Err(failed))),
        }
    }

    /// After a failure nothing counts as durable any more.
    fn modify(&self, change: impl FnOnce(&mut Pending)) {
        self.0.send_if_modified(|state| state.as_mut().map(change).is_ok());
    }
}

impl Durable {
    /// Waits until no entry up to `index` waits for the disk. Entries that were never reported as pending do not.
    pub(crate) async fn until(&self, index: u64) -> Result<(), StoreError> {
        let settled = |state: &State| !state.as_ref().is_ok_and(|pending| pending.holds(index));
        match self.0.clone().wait_for(settled).await.as_deref() {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(failed)) => Err(failed.clone().into()),
            Err(_) => Err(StoreError::NoFlusher),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::store::engine::EngineError;

    fn waits(durable: &Durable, index: u64) -> bool {
        durable.until(index).now_or_never().is_none()
    }

    #[test]
    fn an_entry_counts_once_it_is_flushed() {
        let writing = Writing::new();
        let durable = writing.durable();
        assert!(!waits(&durable, 9), "nobody said that it is pending");
        writing.written(4, 5);
        writing.written(6, 6);
        assert!(!waits(&durable, 3) && waits(&durable, 4) && waits(&durable, 7));
        writing.flushed(5, Ok(()));
        assert!(!waits(&durable, 5) && waits(&durable, 6));
        writing.flushed(6, Ok(()));
        assert!(!waits(&durable, 6));
    }

    #[test]
    fn after_a_failure_nothing_counts() {
        let writing = Writing::new();
        let durable = writing.durable();
        writing.written(4, 4);
        writing.flushed(4, Err(Failed::Engine(EngineError::io(std::io::Error::other("full")))));
        writing.flushed(4, Ok(()));
        assert!(matches!(durable.until(4).now_or_never(), Some(Err(StoreError::Engine { .. }))));
    }
}
