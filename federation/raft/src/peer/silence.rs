//! Which servers do not answer.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::{Mutex, PoisonError};

use federation_kit::exit::chain;
use federation_model::ServerId;

/// The servers whose last call brought no answer.
#[derive(Debug, Default)]
pub(crate) struct Silence(Mutex<BTreeSet<ServerId>>);

impl Silence {
    /// Remembers whether `target` answered, and logs when that changes: a server that is down is called several times a
    /// second.
    pub(super) fn note(&self, target: ServerId, problem: Option<&(dyn Error + 'static)>) {
        let mut silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match problem {
            Some(problem) if silent.insert(target) => {
                tracing::warn!(server = %target, error = %chain(problem), "server does not answer");
            }
            None if silent.remove(&target) => tracing::info!(server = %target, "server answers again"),
            _ => {}
        }
    }

    /// All of them.
    pub(crate) fn servers(&self) -> BTreeSet<ServerId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
