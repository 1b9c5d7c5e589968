//! What a server with an empty data directory may do: decided from what the others say.

use std::collections::{BTreeMap, BTreeSet};

use federation_model::ServerId;

use super::{Standing, Waiting};
use crate::peer::wire::About;
use crate::types::{StoreId, node_id};

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Found the group, with these data directories.
    Found(BTreeMap<ServerId, StoreId>),
    /// Stand like this. [`Standing::Member`] is for good, everything else until the others say something new.
    Stand(Standing),
}

/// Decides for server `me`, whose data directory is `own.store`, from the `answers` of the others.
///
/// A group is founded once, by the first of its voters, when all of them are there and have nothing. Whoever finds a
/// group that gave its place to another data directory has lost its data: it may have voted, or acknowledged entries,
/// and knows nothing of it, so it must not take part as that voter.
pub(super) fn decide(me: ServerId, own: &About, answers: &BTreeMap<ServerId, About>) -> Verdict {
    let groups = answers.values().filter(|about| !about.seats.is_empty());
    if let Some(latest) = groups.max_by_key(|about| about.membership_at) {
        return Verdict::Stand(match latest.seats.get(&node_id(me)) {
            Some(seat) if seat.store == Some(own.store) => Standing::Member,
            Some(_) => Standing::Lost,
            None => Standing::Waiting(Waiting::ToBeAdded),
        });
    }
    let wait = |why| Verdict::Stand(Standing::Waiting(why));
    let Some(founder) = own.founders.first() else { return wait(Waiting::ToBeAdded) };
    let differs = |(id, about): (&ServerId, &About)| (about.founders != own.founders).then_some(*id);
    if let Some(other) = answers.iter().find_map(differs) {
        return wait(Waiting::OtherFounders(other));
    }
    if *founder != me {
        return wait(Waiting::Founder(*founder));
    }
    let here = |id: &ServerId| *id == me || answers.get(id).is_some_and(|about| about.pristine);
    let missing: BTreeSet<ServerId> = own.founders.iter().filter(|id| !here(id)).copied().collect();
    if !missing.is_empty() {
        return wait(Waiting::Answers(missing));
    }
    let stores = answers.iter().map(|(id, about)| (*id, about.store)).chain([(me, own.store)]);
    Verdict::Found(stores.filter(|(id, _)| own.founders.contains(id)).collect())
}

#[cfg(test)]
mod tests {
    use openraft::CommittedLeaderId;

    use super::*;
    use crate::types::{LogId, Member, Seat};

    fn ids(all: &[u64]) -> BTreeSet<ServerId> {
        all.iter().copied().map(ServerId).collect()
    }

    fn empty(store: u64, founders: &[u64]) -> About {
        About {
            store: StoreId(store),
            pristine: true,
            founders: ids(founders),
            membership_at: None,
            seats: BTreeMap::new(),
        }
    }

    /// Knows these members, each with its data directory.
    fn knows(at: u64, seats: &[(u64, Option<u64>)]) -> About {
        let seat =
            |(id, store): &(u64, Option<u64>)| (*id, Seat::added(Member::default(), store.map(StoreId)));
        About {
            pristine: false,
            membership_at: Some(LogId::new(CommittedLeaderId::new(1, 1), at)),
            seats: seats.iter().map(seat).collect(),
            ..empty(99, &[1, 2, 3])
        }
    }

    fn verdict(me: u64, own: &About, answers: &[(u64, About)]) -> Verdict {
        let answers = answers.iter().map(|(id, about)| (ServerId(*id), about.clone())).collect();
        decide(ServerId(me), own, &answers)
    }

    fn waits(why: Waiting) -> Verdict {
        Verdict::Stand(Standing::Waiting(why))
    }

    #[test]
    fn the_first_founds_when_all_are_there_and_have_nothing() {
        let all = &[1, 2, 3];
        let found = |stores: &[(u64, u64)]| {
            Verdict::Found(stores.iter().map(|(id, store)| (ServerId(*id), StoreId(*store))).collect())
        };
        let both = [(2, empty(22, all)), (3, empty(33, all))];
        assert_eq!(verdict(1, &empty(11, all), &both), found(&[(1, 11), (2, 22), (3, 33)]));
        assert_eq!(verdict(1, &empty(11, &[1]), &[]), found(&[(1, 11)]), "alone");
        assert_eq!(verdict(2, &empty(22, all), &both), waits(Waiting::Founder(ServerId(1))));
        assert_eq!(verdict(1, &empty(11, all), &both[..1]), waits(Waiting::Answers(ids(&[3]))));
        assert_eq!(verdict(1, &empty(11, all), &[]), waits(Waiting::Answers(ids(&[2, 3]))));
    }

    #[test]
    fn nobody_founds_beside_a_vote_or_another_list() {
        let all = &[1, 2, 3];
        let voted = About { pristine: false, ..empty(22, all) };
        let answers = [(2, voted), (3, empty(33, all))];
        assert_eq!(verdict(1, &empty(11, all), &answers), waits(Waiting::Answers(ids(&[2]))));
        for other in [&[2, 3][..], &[]] {
            let answers = [(2, empty(22, all)), (3, empty(33, other))];
            assert_eq!(verdict(1, &empty(11, all), &answers), waits(Waiting::OtherFounders(ServerId(3))));
        }
    }

    #[test]
    fn who_joins_never_founds() {
        for answers in [&[][..], &[(2, empty(22, &[]))]] {
            assert_eq!(verdict(1, &empty(11, &[]), answers), waits(Waiting::ToBeAdded));
        }
    }

    #[test]
    fn a_place_is_taken_by_its_own_data_directory_only() {
        let own = empty(11, &[1, 2, 3]);
        let cases = [
            (knows(5, &[(1, Some(11)), (2, Some(22))]), Standing::Member),
            (knows(5, &[(1, Some(12)), (2, Some(22))]), Standing::Lost),
            // Founded before places had data directories: this one was not there.
            (knows(5, &[(1, None), (2, None)]), Standing::Lost),
            (knows(5, &[(2, Some(22))]), Standing::Waiting(Waiting::ToBeAdded)),
        ];
        for (group, expected) in cases {
            // What somebody without anything says makes no difference.
            let answers = [(2, group.clone()), (3, empty(33, &[1, 2, 3]))];
            assert_eq!(verdict(1, &own, &answers), Verdict::Stand(expected), "{group:?}");
        }
    }

    #[test]
    fn the_latest_membership_counts() {
        let (before, after) = (knows(5, &[(1, Some(10))]), knows(9, &[(1, Some(11))]));
        for answers in [[(2, before.clone()), (3, after.clone())], [(2, after), (3, before)]] {
            assert_eq!(verdict(1, &empty(11, &[]), &answers), Verdict::Stand(Standing::Member));
        }
    }
}
