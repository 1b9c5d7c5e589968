//! What cannot be, in words that name who, what and when.

use federation_model::{Revision, ServiceId, Vip};

use crate::event::{Slot, Viewer, WatcherName, WriteId};

/// One thing in a history that no correct federation does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// An acknowledged write is neither there nor replaced by a later one.
    #[error(
        "{acknowledged} of {slot}, acknowledged at revision {by}, is missing: {watcher} saw {saw} at revision {revision} of {server}"
    )]
    Lost {
        /// What was lost.
        acknowledged: WriteId,
        /// Where.
        slot: Slot,
        /// The revision by which it had happened.
        by: Revision,
        /// Who noticed.
        watcher: WatcherName,
        /// What that one saw instead.
        saw: Seen,
        /// When.
        revision: Revision,
        /// Whom it had asked.
        server: String,
    },
    /// A slot showed a newer write, and an older one at a later revision.
    #[error(
        "{slot} went back: {earlier} was seen at revision {earlier_revision}, and {watcher} saw {saw} at revision {revision} of {server}"
    )]
    WentBack {
        /// Where.
        slot: Slot,
        /// The newer write.
        earlier: WriteId,
        /// When it was seen first.
        earlier_revision: Revision,
        /// Who saw the older one.
        watcher: WatcherName,
        /// Which that is.
        saw: Seen,
        /// When.
        revision: Revision,
        /// Whom it had asked.
        server: String,
    },
    /// Two watchers at one revision saw what cannot both be.
    #[error("at revision {revision} {one} saw {one_saw} in {slot}, and {other} saw {other_saw}")]
    Disagree {
        /// At which.
        revision: Revision,
        /// Where.
        slot: Slot,
        /// One of them.
        one: WatcherName,
        /// What it saw.
        one_saw: Seen,
        /// Another.
        other: WatcherName,
        /// What that one saw.
        other_saw: Seen,
    },
    /// A write that was refused happened.
    #[error("{write} of {slot} was refused, and {watcher} saw it at revision {revision}")]
    RefusedHappened {
        /// Which.
        write: WriteId,
        /// Where.
        slot: Slot,
        /// Who saw it.
        watcher: WatcherName,
        /// When.
        revision: Revision,
    },
    /// A write was seen at a revision that was over before it was proposed.
    #[error(
        "{write} of {slot} was proposed when revision {after} had been acknowledged, and {watcher} saw it at revision {revision}"
    )]
    BeforeItsTime {
        /// Which.
        write: WriteId,
        /// Where.
        slot: Slot,
        /// What had been acknowledged.
        after: Revision,
        /// Who saw it.
        watcher: WatcherName,
        /// When.
        revision: Revision,
    },
    /// Somebody was shown what nobody wrote there.
    #[error("{watcher} was shown {saw} in {slot}, which nobody wrote there before")]
    FromNowhere {
        /// Who.
        watcher: WatcherName,
        /// What.
        saw: Seen,
        /// Where.
        slot: Slot,
    },
    /// A write was acknowledged at no later revision than one that was over when it began.
    #[error(
        "{later} was proposed after revision {before} had been acknowledged, and was acknowledged at revision {revision}"
    )]
    OutOfOrder {
        /// The write that came later.
        later: WriteId,
        /// What had been acknowledged when it was proposed.
        before: Revision,
        /// What it was told.
        revision: Revision,
    },
    /// A watcher went back in time.
    #[error("{watcher} went from revision {from} at {from_server} to {to} at {to_server}")]
    BackInTime {
        /// Who.
        watcher: WatcherName,
        /// From where.
        from: Revision,
        /// At whom.
        from_server: String,
        /// To where.
        to: Revision,
        /// At whom.
        to_server: String,
    },
    /// Somebody was shown what it may not see.
    #[error("{watcher}, as {viewer}, was shown {write} of {slot}, which is not for it")]
    OutOfScope {
        /// Who.
        watcher: WatcherName,
        /// As whom.
        viewer: Viewer,
        /// What.
        write: WriteId,
        /// Where.
        slot: Slot,
    },
    /// A watcher had an export without its VIP, or a VIP without any export.
    #[error(
        "{watcher} had a VIP or an export of {service} without the other at revision {revision} of {server}"
    )]
    UnmatchedVip {
        /// Who.
        watcher: WatcherName,
        /// Of which service.
        service: ServiceId,
        /// When.
        revision: Revision,
        /// Whom it had asked.
        server: String,
    },
    /// A VIP moved.
    #[error("the VIP of {service} moved from {} to {}, as {watcher} saw it", .from.v4, .to.v4)]
    VipMoved {
        /// Of which service.
        service: ServiceId,
        /// From.
        from: Vip,
        /// To.
        to: Vip,
        /// Who saw the second.
        watcher: WatcherName,
    },
    /// A VIP belongs to two services.
    #[error("the VIP {} belongs to {one} and to {other}, as {watcher} saw it", .vip.v4)]
    VipShared {
        /// Which.
        vip: Vip,
        /// One service.
        one: ServiceId,
        /// Another.
        other: ServiceId,
        /// Who saw the second.
        watcher: WatcherName,
    },
    /// After everything had settled, a watcher had not seen everything.
    #[error(
        "{watcher} was at revision {at} when all had settled, and revision {acknowledged} had been acknowledged"
    )]
    NotComplete {
        /// Who.
        watcher: WatcherName,
        /// How far it was.
        at: Revision,
        /// What it should have reached.
        acknowledged: Revision,
    },
    /// A stream is not one.
    #[error("{watcher} was sent {problem}")]
    OutOfPlace {
        /// Whose.
        watcher: WatcherName,
        /// What is wrong.
        problem: &'static str,
    },
    /// The recorder used a name twice.
    #[error("{write} was proposed twice")]
    ProposedTwice {
        /// Which.
        write: WriteId,
    },
    /// An answer to nothing.
    #[error("{write} was answered and never proposed")]
    NeverProposed {
        /// Which.
        write: WriteId,
    },
    /// Two answers that exclude each other.
    #[error("{write} was both refused and acknowledged")]
    BothRefusedAndAcknowledged {
        /// Which.
        write: WriteId,
    },
}

/// What was seen in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The value of a write.
    Write(WriteId),
    /// Nothing.
    Nothing,
    /// A value that carries no write.
    Stranger,
}

impl From<Option<WriteId>> for Seen {
    fn from(write: Option<WriteId>) -> Self {
        write.map_or(Self::Nothing, Self::Write)
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Write(write) => write!(f, "{write}"),
            Self::Nothing => f.write_str("nothing"),
            Self::Stranger => f.write_str("a strange value"),
        }
    }
}

impl std::fmt::Display for Viewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cluster(cluster) => write!(f, "cluster {cluster}"),
            Self::Operator => f.write_str("an operator"),
        }
    }
}
