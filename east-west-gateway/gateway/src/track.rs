//! Live connections, judged again whenever the configuration changes.
//!
//! Entering and applying take the same lock: a connection is judged by the configuration of the moment it enters, and
//! by every later one. None can slip between the check at its handshake and the change that would have refused it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use federation_trust::BundleSet;
use tokio::sync::oneshot;

pub mod purpose;

pub use purpose::{CloseReason, Purpose, Voucher};

use crate::applied::Applied;
use crate::metrics::Direction;

/// All live connections of the gateway. Cheap to clone; clones are the same list.
#[derive(Debug, Clone, Default)]
pub struct Tracker {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    current: Option<(Arc<Applied>, Arc<BundleSet>)>,
    next: u64,
    live: HashMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    purpose: Purpose,
    /// Taken when the connection is told to close.
    close: Option<oneshot::Sender<CloseReason>>,
}

impl Entry {
    fn tell(&mut self, reason: CloseReason) -> bool {
        // A connection that ends at this moment has dropped its receiver, and needs no telling.
        self.close.take().is_some_and(|close| close.send(reason).is_ok())
    }
}

impl Tracker {
    /// Takes a connection in, or says why it may not go on.
    pub fn enter(&self, purpose: Purpose) -> Result<Live, CloseReason> {
        let mut inner = self.lock();
        if let Some((applied, bundles)) = &inner.current {
            purpose.judge(applied, bundles)?;
        }
        let key = inner.next;
        inner.next = inner.next.wrapping_add(1);
        let (close, closed) = oneshot::channel();
        inner.live.insert(key, Entry { purpose, close: Some(close) });
        Ok(Live { key, closed, tracker: self.clone() })
    }

    /// Judges every live connection by `applied` and its bundles, and whoever enters from now on. Returns how many were
    /// closed.
    pub fn apply(&self, applied: Arc<Applied>, bundles: Arc<BundleSet>) -> usize {
        let mut inner = self.lock();
        let mut told = 0_usize;
        for entry in inner.live.values_mut() {
            if let Err(reason) = entry.purpose.judge(&applied, &bundles) {
                told += usize::from(entry.tell(reason));
            }
        }
        inner.current = Some((applied, bundles));
        told
    }

    /// Tells every live connection to close.
    pub fn close_all(&self, reason: CloseReason) {
        for entry in self.lock().live.values_mut() {
            entry.tell(reason);
        }
    }

    /// How many connections go each way.
    pub fn count(&self, direction: Direction) -> usize {
        self.lock().live.values().filter(|entry| entry.purpose.direction() == direction).count()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing under the lock can leave it half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection on the list; dropping it takes it off.
#[derive(Debug)]
pub struct Live {
    key: u64,
    closed: oneshot::Receiver<CloseReason>,
    tracker: Tracker,
}

impl Live {
    /// Waits until the connection must close. Cancel-safe; pending for ever after it has answered once.
    pub async fn closed(&mut self) -> CloseReason {
        match (&mut self.closed).await {
            Ok(reason) => reason,
            // The sender lives as long as the entry, which this value keeps on the list.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.tracker.lock().live.remove(&self.key);
    }
}

#[cfg(test)]
mod tests;
