//! Readiness: the process is ready when nothing is left that it waits for.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

/// What the process still waits for. Cheap to clone; all clones are the same list.
#[derive(Debug, Clone)]
pub struct Readiness {
    pending: Arc<watch::Sender<Pending>>,
}

#[derive(Debug, Default)]
struct Pending {
    next: u64,
    waiting: BTreeMap<u64, String>,
}

/// Keeps the process from being ready until it is dropped. Make it before the work starts, and drop it when the
/// work is done, so that readiness cannot be reported in between.
#[derive(Debug)]
#[must_use = "dropping a block at once blocks nothing"]
pub struct Block {
    key: u64,
    pending: Arc<watch::Sender<Pending>>,
}

impl Readiness {
    /// Ready until something registers.
    #[must_use]
    pub fn new() -> Self {
        Self { pending: Arc::new(watch::Sender::new(Pending::default())) }
    }

    /// Not ready until the returned block is dropped. `what` is shown by `/readyz`: "snapshot of the federation".
    pub fn register(&self, what: impl Into<String>) -> Block {
        let mut key = 0;
        self.pending.send_modify(|pending| {
            key = pending.next;
            pending.next += 1;
            pending.waiting.insert(key, what.into());
        });
        Block { key, pending: Arc::clone(&self.pending) }
    }

    /// What is waited for, in the order of registration.
    #[must_use]
    pub fn pending(&self) -> Vec<String> {
        self.pending.borrow().waiting.values().cloned().collect()
    }

    /// Whether nothing is waited for.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.pending.borrow().waiting.is_empty()
    }

    /// Waits until nothing is waited for.
    pub async fn ready(&self) {
        let mut changes = self.pending.subscribe();
        // The sender is in `self`, so the channel cannot close under the wait.
        let _ = changes.wait_for(|pending| pending.waiting.is_empty()).await;
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.pending.send_modify(|pending| {
            pending.waiting.remove(&self.key);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ready_only_when_every_block_is_gone() {
        let readiness = Readiness::new();
        let first = readiness.register("a certificate");
        let second = readiness.register("a snapshot");
        assert_eq!(readiness.pending(), ["a certificate", "a snapshot"]);
        drop(first);
        assert!(!readiness.is_ready());
        let waiter = tokio::spawn({
            let readiness = readiness.clone();
            async move { readiness.ready().await }
        });
        drop(second);
        waiter.await.unwrap();
        assert!(readiness.is_ready());
    }
}
