//! Telling the federation what this cluster exports, and hearing what became of each item.
//!
//! [`Desired`] is all that should be published, as one value. The ledger compares it with what was said and decides
//! what to say next; the publisher carries that to whichever server answers.

mod generations;
mod ledger;
mod offers;
mod publisher;
mod queue;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use federation_model::command::Registration;
use federation_model::{Bundle, Export, ServiceId};

pub(crate) use publisher::Publisher;
pub use status::{ItemState, PublishStatus};

/// Everything that this cluster wants the federation to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Who and where it is.
    pub registration: Registration,
    /// The authorities of its own trust domain; absent until it has any.
    pub bundle: Option<Bundle>,
    /// What it exports. Generations in here are ignored: the publisher counts. What did not change is best shared with
    /// the value before: it is then not even compared.
    pub exports: BTreeMap<ServiceId, Arc<Export>>,
}
