//! What became of each published item.

use std::collections::BTreeMap;

use federation_model::{Generation, Revision, ServiceId};

/// The state of the conversation, item by item. The last answer stays until the next: losing the connection does not
/// undo what is committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishStatus {
    /// The server talked to; absent while there is none.
    pub server: Option<String>,
    /// Why there is none.
    pub problem: Option<String>,
    /// Of the registration.
    pub registration: ItemState,
    /// Of the bundle; absent if none is desired.
    pub bundle: Option<ItemState>,
    /// Of every desired export, and of every withdrawn one until its end is committed.
    pub exports: BTreeMap<ServiceId, ItemState>,
    /// When the federation last knew everything and nothing else; absent until then.
    pub synced: Option<Revision>,
}

/// What became of one item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ItemState {
    /// Not sent, or sent and not answered.
    #[default]
    Pending,
    /// On disk on a quorum.
    Committed {
        /// The generation committed; zero for what has none.
        generation: Generation,
        /// Since when.
        revision: Revision,
    },
    /// Refused. It is sent again after a while.
    Refused {
        /// The generation refused; zero for what has none.
        generation: Generation,
        /// A closed word: `Rejection::reason`.
        reason: String,
        /// For people.
        message: String,
    },
}
