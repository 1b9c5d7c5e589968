//! Defects on purpose. A simulation plants one, to show that it would find it; whatever is built without the feature
//! `simulation` holds none, and [`Planted::has`] is a constant there.

#[cfg(feature = "simulation")]
mod catalogue;

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The leader applies, and so acknowledges, before its own disk has the entry.
    LeaderAcknowledgesEarly,
    /// Followers hear that something is committed before it is on the leader's disk.
    FollowersHearEarly,
    /// A follower says that it has an entry before its disk does.
    FollowerAcknowledgesEarly,
    /// A vote is given, and not written down.
    VoteNotWritten,
    /// A voter that has lost its data takes part as if it had not.
    LostDataTakesPart,
    /// Whoever speaks for a cluster is believed, whoever holds its lease.
    NoFencing,
    /// The VIP of a service goes back when nobody exports it any more, and to the next.
    VipGivenAgain,
    /// Some changes are not recorded for watchers.
    ChangeForgotten,
    /// Exports are shown to clusters outside their scope.
    NoScope,
}

/// Which of them is planted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Planted {
    #[cfg(feature = "simulation")]
    bug: Option<Bug>,
}

impl Planted {
    /// One.
    #[cfg(feature = "simulation")]
    #[must_use]
    pub const fn one(bug: Bug) -> Self {
        Self { bug: Some(bug) }
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn has(self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    #[cfg(not(feature = "simulation"))]
    #[allow(clippy::unused_self, reason = "with the feature it is used")]
    pub(crate) const fn has(self, _bug: Bug) -> bool {
        false
    }
}
