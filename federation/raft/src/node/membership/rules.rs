//! What may be done about the members: decided from what the leader knows, without doing it.

use std::collections::{BTreeMap, BTreeSet};

use federation_model::ServerId;
use openraft::RaftMetrics;

use super::MembershipError;
use crate::types::{Member, Seat, StoreId};

/// Most members of a group, voters and learners.
const MAX_MEMBERS: usize = 9;
/// How many entries a learner may lack to become a voter: what is on its way under load.
const CAUGHT_UP: u64 = 100;

/// The group, as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) leader: ServerId,
    /// The last entry of the leader's log.
    pub(super) last: u64,
    pub(super) voters: BTreeSet<ServerId>,
    /// Everybody.
    pub(super) seats: BTreeMap<ServerId, Seat>,
    /// How far the others' logs match.
    pub(super) matched: BTreeMap<ServerId, u64>,
    /// Those whose last call brought no answer.
    pub(super) silent: BTreeSet<ServerId>,
    /// The voters of the configuration that a change, half made, leads to.
    pub(super) unfinished: Option<BTreeSet<u64>>,
}

/// How a member goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removal {
    Learner,
    Voter,
    /// Somebody else must lead first.
    Leader,
}

impl Group {
    /// As `leader` measures it.
    pub(super) fn of(leader: ServerId, metrics: &RaftMetrics<u64, Seat>, silent: BTreeSet<ServerId>) -> Self {
        let membership = metrics.membership_config.membership();
        let replication = metrics.replication.iter().flatten();
        let configs = membership.get_joint_config();
        Self {
            leader,
            last: metrics.last_log_index.unwrap_or(0),
            voters: membership.voter_ids().map(ServerId).collect(),
            seats: membership.nodes().map(|(id, seat)| (ServerId(*id), seat.clone())).collect(),
            matched: replication.filter_map(|(id, at)| Some((ServerId(*id), at.as_ref()?.index))).collect(),
            silent,
            unfinished: configs.last().filter(|_| configs.len() > 1).cloned(),
        }
    }

    /// Whether `id` may be added with the data directory `store`; false if it was before.
    pub(super) fn may_add(
        &self,
        id: ServerId,
        member: &Member,
        store: StoreId,
    ) -> Result<bool, MembershipError> {
        if let Some(seat) = self.seats.get(&id) {
            let same = seat.store == Some(store) && seat.member(None) == *member;
            return if same { Ok(false) } else { Err(MembershipError::IsMember(id)) };
        }
        let taken = |address: &String| {
            let mut seats = self.seats.iter();
            let (by, _) = seats.find(|(_, seat)| {
                let theirs = seat.member(None);
                theirs.raft == *address || theirs.api == *address
            })?;
            Some(MembershipError::AddressInUse { address: address.clone(), by: *by })
        };
        if let Some(error) = taken(&member.raft).or_else(|| taken(&member.api)) {
            return Err(error);
        }
        if self.seats.len() >= MAX_MEMBERS {
            return Err(MembershipError::TooMany { max: MAX_MEMBERS });
        }
        Ok(true)
    }

    /// That `id` is a member, and still the one that was meant, if that is known.
    fn seated(&self, id: ServerId, meant: Option<StoreId>) -> Result<(), MembershipError> {
        let seat = self.seats.get(&id).ok_or(MembershipError::NotAMember(id))?;
        if meant.is_some() && seat.store != meant {
            return Err(MembershipError::Replaced(id));
        }
        Ok(())
    }

    /// Whether the learner `id`, with the data directory `meant`, may vote; false if it does.
    pub(super) fn may_promote(&self, id: ServerId, meant: Option<StoreId>) -> Result<bool, MembershipError> {
        self.seated(id, meant)?;
        if self.voters.contains(&id) {
            return Ok(false);
        }
        let entries = self.lag(id);
        if entries > CAUGHT_UP {
            return Err(MembershipError::Behind { server: id, entries, bound: CAUGHT_UP });
        }
        let mut voters = self.voters.clone();
        voters.insert(id);
        self.enough(&voters)?;
        Ok(true)
    }

    /// Whether and how `id`, with the data directory `meant`, may be removed.
    pub(super) fn may_remove(
        &self,
        id: ServerId,
        meant: Option<StoreId>,
    ) -> Result<Removal, MembershipError> {
        self.seated(id, meant)?;
        if !self.voters.contains(&id) {
            return Ok(Removal::Learner);
        }
        if self.voters.len() == 1 {
            return Err(MembershipError::LastVoter(id));
        }
        let mut voters = self.voters.clone();
        voters.remove(&id);
        self.enough(&voters)?;
        Ok(if id == self.leader { Removal::Leader } else { Removal::Voter })
    }

    /// Who leads next: the one that is wished for, or whoever has most of the log.
    pub(super) fn successor(&self, wished: Option<ServerId>) -> Result<ServerId, MembershipError> {
        match wished {
            Some(id) if !self.seats.contains_key(&id) => Err(MembershipError::NotAMember(id)),
            Some(id) if !self.voters.contains(&id) => Err(MembershipError::NotAVoter(id)),
            Some(id) => Ok(id),
            None => {
                let others = self.voters.iter().filter(|id| **id != self.leader && !self.silent.contains(id));
                others.copied().min_by_key(|id| (self.lag(*id), *id)).ok_or(MembershipError::NoSuccessor)
            }
        }
    }

    /// How many entries `id` lacks.
    pub(super) fn lag(&self, id: ServerId) -> u64 {
        let matched = self.matched.get(&id).map_or(0, |at| at.saturating_add(1));
        self.last.saturating_add(1).saturating_sub(matched)
    }

    /// Whether a majority of `voters` answers.
    fn enough(&self, voters: &BTreeSet<ServerId>) -> Result<(), MembershipError> {
        let silent: Vec<ServerId> =
            voters.intersection(&self.silent).filter(|id| **id != self.leader).copied().collect();
        let (answering, needed) = (voters.len() - silent.len(), voters.len() / 2 + 1);
        if answering < needed {
            return Err(MembershipError::TooFew { answering, needed, silent });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(all: &[u64]) -> BTreeSet<ServerId> {
        all.iter().copied().map(ServerId).collect()
    }

    fn member(id: u64) -> Member {
        Member { api: format!("s{id}:1"), raft: format!("s{id}:2") }
    }

    /// Server 1 leads `voters`; 8 is a learner. The log ends at 1000, and nobody lacks any of it.
    fn group(voters: &[u64], silent: &[u64]) -> Group {
        let all = || voters.iter().copied().chain([8]);
        Group {
            leader: ServerId(1),
            last: 1_000,
            voters: ids(voters),
            seats: all().map(|id| (ServerId(id), Seat::added(member(id), Some(StoreId(id))))).collect(),
            matched: all().map(|id| (ServerId(id), 1_000)).collect(),
            silent: ids(silent),
            unfinished: None,
        }
    }

    #[test]
    fn a_place_is_given_once() {
        let group = group(&[1, 2, 3], &[]);
        let add = |id, place, store| group.may_add(ServerId(id), &member(place), StoreId(store));
        assert_eq!(add(4, 4, 4), Ok(true));
        assert_eq!(add(8, 8, 8), Ok(false), "it was added before");
        assert_eq!(
            add(8, 8, 9),
            Err(MembershipError::IsMember(ServerId(8))),
            "its data is not what was added"
        );
        assert_eq!(add(8, 7, 8), Err(MembershipError::IsMember(ServerId(8))));
        let taken = MembershipError::AddressInUse { address: "s2:2".to_owned(), by: ServerId(2) };
        assert_eq!(add(4, 2, 4), Err(taken));
        let api = Member { api: "s3:1".to_owned(), raft: "new:2".to_owned() };
        let taken = MembershipError::AddressInUse { address: "s3:1".to_owned(), by: ServerId(3) };
        assert_eq!(group.may_add(ServerId(4), &api, StoreId(4)), Err(taken));
    }

    #[test]
    fn a_group_does_not_grow_for_ever() {
        let group = group(&[1, 2, 3, 4, 5, 6, 7, 9], &[]);
        let refused = group.may_add(ServerId(10), &member(10), StoreId(10));
        assert_eq!(refused, Err(MembershipError::TooMany { max: 9 }));
    }

    #[test]
    fn only_who_has_nearly_all_of_the_log_is_promoted() {
        let mut group = group(&[1, 2, 3], &[]);
        assert_eq!(group.may_promote(ServerId(8), None), Ok(true));
        assert_eq!(group.may_promote(ServerId(2), None), Ok(false), "it votes");
        assert_eq!(group.may_promote(ServerId(5), None), Err(MembershipError::NotAMember(ServerId(5))));
        group.matched.insert(ServerId(8), 900);
        assert_eq!(group.may_promote(ServerId(8), None), Ok(true));
        group.matched.insert(ServerId(8), 899);
        let behind = |entries| Err(MembershipError::Behind { server: ServerId(8), entries, bound: 100 });
        assert_eq!(group.may_promote(ServerId(8), None), behind(101));
        group.matched.remove(&ServerId(8));
        assert_eq!(group.may_promote(ServerId(8), None), behind(1_001), "nothing is known to match");
    }

    #[test]
    fn a_request_is_about_the_server_that_was_meant() {
        let group = group(&[1, 2, 3], &[]);
        let replaced = |id| MembershipError::Replaced(ServerId(id));
        assert_eq!(group.may_remove(ServerId(2), Some(StoreId(2))), Ok(Removal::Voter));
        assert_eq!(group.may_remove(ServerId(2), Some(StoreId(7))), Err(replaced(2)));
        assert_eq!(group.may_promote(ServerId(8), Some(StoreId(8))), Ok(true));
        assert_eq!(group.may_promote(ServerId(8), Some(StoreId(7))), Err(replaced(8)));
    }

    #[test]
    fn no_change_leaves_a_group_that_cannot_commit() {
        let few = |answering, needed, silent: &[u64]| {
            Err(MembershipError::TooFew {
                answering,
                needed,
                silent: silent.iter().copied().map(ServerId).collect(),
            })
        };
        let three = group(&[1, 2, 3], &[3]);
        assert_eq!(three.may_remove(ServerId(3), None), Ok(Removal::Voter), "the silent one goes");
        assert_eq!(three.may_remove(ServerId(2), None), few(1, 2, &[3]));
        assert_eq!(three.may_remove(ServerId(1), None), few(1, 2, &[3]));
        assert_eq!(three.may_promote(ServerId(8), None), Ok(true), "three of four answer");
        assert_eq!(group(&[1, 2], &[8]).may_promote(ServerId(8), None), Ok(true), "two of three answer");
        assert_eq!(group(&[1], &[8]).may_promote(ServerId(8), None).map_err(|_| ()), Err(()));
        assert_eq!(group(&[1, 2, 3, 4], &[3]).may_remove(ServerId(2), None), Ok(Removal::Voter));
        assert_eq!(group(&[1, 2, 3], &[]).may_remove(ServerId(1), None), Ok(Removal::Leader));
        assert_eq!(group(&[1, 2, 3], &[]).may_remove(ServerId(8), None), Ok(Removal::Learner));
        assert_eq!(
            group(&[1], &[]).may_remove(ServerId(1), None),
            Err(MembershipError::LastVoter(ServerId(1)))
        );
        assert_eq!(
            group(&[1], &[]).may_remove(ServerId(7), None),
            Err(MembershipError::NotAMember(ServerId(7)))
        );
    }

    #[test]
    fn whoever_has_most_of_the_log_leads_next() {
        let mut group = group(&[1, 2, 3, 4], &[2]);
        group.matched.insert(ServerId(3), 990);
        assert_eq!(group.successor(None), Ok(ServerId(4)));
        assert_eq!(group.successor(Some(ServerId(3))), Ok(ServerId(3)), "it has time to catch up");
        assert_eq!(group.successor(Some(ServerId(8))), Err(MembershipError::NotAVoter(ServerId(8))));
        assert_eq!(group.successor(Some(ServerId(9))), Err(MembershipError::NotAMember(ServerId(9))));
        group.silent = ids(&[2, 3, 4]);
        assert_eq!(group.successor(None), Err(MembershipError::NoSuccessor));
    }
}
