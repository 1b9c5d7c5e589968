//! What is recorded, one event at a time, in the order in which it happened at the recorder.

use std::fmt;

use federation_model::export::ExportScope;
use federation_model::{ClusterId, Revision, ServiceId, Vip};
use serde::{Deserialize, Serialize};

/// One place of the catalogue: what one cluster exports of one service. Only that cluster writes it, one write after
/// the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// The service.
    pub service: ServiceId,
    /// Whose export of it.
    pub cluster: ClusterId,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.service, self.cluster)
    }
}

/// Names one write of a history. The value that it wrote carries it, so that whoever sees the value knows the write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WriteId(pub u64);

impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "write {}", self.0)
    }
}

/// What a write wants of its slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "wish")]
pub enum Wish {
    /// That it holds this write's value, for these clusters.
    Put {
        /// Who may see it, besides its owner.
        scope: ExportScope,
    },
    /// That it is empty.
    Remove,
}

impl Wish {
    /// Whether a slot of `owner` that this write was the last to change shows something to `viewer`.
    pub fn shows(&self, owner: &ClusterId, viewer: &Viewer) -> bool {
        match (self, viewer) {
            (Self::Remove, _) => false,
            (Self::Put { .. }, Viewer::Operator) => true,
            (Self::Put { scope }, Viewer::Cluster(cluster)) => match scope {
                _ if cluster == owner => true,
                ExportScope::All => true,
                ExportScope::Clusters(named) => named.contains(cluster),
            },
        }
    }
}

/// Who looks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Viewer {
    /// A cluster: it sees what is exported to it.
    Cluster(ClusterId),
    /// An operator: sees everything.
    Operator,
}

/// Names one watcher, which has one position in the catalogue's history wherever it connects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WatcherName(pub String);

impl fmt::Display for WatcherName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "watcher {}", self.0)
    }
}

/// Names a piece of what a watcher sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PieceName {
    /// What a slot holds.
    Export(Slot),
    /// The VIP of a service.
    Vip(ServiceId),
}

/// A piece of what a watcher sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// What a slot holds.
    Export {
        /// Which.
        slot: Slot,
        /// The write that the value carries; absent if it carries none.
        write: Option<WriteId>,
    },
    /// The VIP of a service.
    Vip {
        /// Which.
        service: ServiceId,
        /// The addresses.
        vip: Vip,
    },
}

/// One line of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// A write is about to be handed to a client. Until it is acknowledged or refused, and for ever if it is neither,
    /// it may or may not happen.
    Proposed {
        /// Its name, not used before.
        write: WriteId,
        /// Where.
        slot: Slot,
        /// What.
        #[serde(flatten)]
        wish: Wish,
    },
    /// A client was told that a write is committed. It may be told so again.
    Acknowledged {
        /// Which.
        write: WriteId,
        /// At which revision; absent where the client does not learn it.
        revision: Option<Revision>,
    },
    /// A client was told that a write will never happen.
    Refused {
        /// Which.
        write: WriteId,
        /// Why, as the federation says it.
        reason: String,
    },
    /// A watcher has a new stream. What the last one left unfinished is forgotten.
    Connected {
        /// Which.
        watcher: WatcherName,
        /// Who it is.
        viewer: Viewer,
        /// With whom, for people: `server 2`.
        server: String,
    },
    /// What a watcher has is to be replaced by what follows.
    SnapshotBegan {
        /// Which.
        watcher: WatcherName,
    },
    /// A piece came, or changed.
    Upserted {
        /// At whom.
        watcher: WatcherName,
        /// What.
        piece: Piece,
    },
    /// A piece went.
    Removed {
        /// At whom.
        watcher: WatcherName,
        /// What.
        name: PieceName,
    },
    /// The snapshot is whole: what the watcher has is the catalogue at this revision.
    SnapshotEnded {
        /// Whose.
        watcher: WatcherName,
        /// Since when that is so.
        revision: Revision,
    },
    /// What the watcher has is the catalogue at this revision.
    Progressed {
        /// Which.
        watcher: WatcherName,
        /// At which.
        revision: Revision,
    },
    /// All faults are over, and the recorder waited until every watcher that it names here had caught up.
    Settled {
        /// Who looked.
        watchers: Vec<WatcherName>,
    },
    /// For people: what was done to the federation.
    Note {
        /// In words.
        text: String,
    },
}
