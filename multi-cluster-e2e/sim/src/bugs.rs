//! The defects that can be planted, by name.

use federation_raft::seams::Bug;

/// All of them, with their words.
pub const ALL: [(Bug, &str); 9] = [
    (Bug::LeaderAcknowledgesEarly, "leader-acknowledges-early"),
    (Bug::FollowersHearEarly, "followers-hear-early"),
    (Bug::FollowerAcknowledgesEarly, "follower-acknowledges-early"),
    (Bug::VoteNotWritten, "vote-not-written"),
    (Bug::LostDataTakesPart, "lost-data-takes-part"),
    (Bug::NoFencing, "no-fencing"),
    (Bug::VipGivenAgain, "vip-given-again"),
    (Bug::ChangeForgotten, "change-forgotten"),
    (Bug::NoScope, "no-scope"),
];

/// Its word.
#[must_use]
pub fn word(bug: Bug) -> &'static str {
    ALL.iter().find(|(other, _)| *other == bug).map_or("unnamed", |(_, word)| word)
}

/// The one of that word.
#[must_use]
pub fn named(word: &str) -> Option<Bug> {
    ALL.iter().find(|(_, other)| *other == word).map(|(bug, _)| *bug)
}
