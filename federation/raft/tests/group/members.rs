//! The members change while everything goes on; who lost its data stays out; another server leads on purpose.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use federation_kit::testing::eventually;
use federation_model::ServerId;
use federation_raft::{MemberRole, MembershipError, Node, ProposeError, Standing, Waiting};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::harness::{Group, LONG};
use crate::{token, tokens};

const fn id(number: u64) -> ServerId {
    ServerId(number)
}

/// Proposes one token after the other, to each of the servers that are given to it in turn.
struct Load {
    at: watch::Sender<Vec<Node>>,
    stop: Arc<AtomicBool>,
    running: JoinHandle<Result<u64, ProposeError>>,
    done: watch::Receiver<u64>,
}

impl Load {
    fn on(nodes: Vec<Node>) -> Self {
        let (at, servers) = watch::channel(nodes);
        let (counted, done) = watch::channel(0);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let running = tokio::spawn(async move {
            let mut next = 0;
            while !stopped.load(Ordering::Relaxed) {
                let node = {
                    let servers = servers.borrow();
                    servers[usize::try_from(next).unwrap() % servers.len()].clone()
                };
                node.propose(vec![token(next)]).await?;
                next += 1;
                counted.send_replace(next);
            }
            Ok(next)
        });
        Self { at, stop, running, done }
    }

    fn move_to(&self, nodes: Vec<Node>) {
        self.at.send_replace(nodes);
    }

    /// Waits until twenty more were committed, so that every step has some before and after it.
    async fn flows(&mut self) {
        let reached = *self.done.borrow() + 20;
        let flowed = tokio::time::timeout(LONG, self.done.wait_for(|done| *done >= reached)).await;
        flowed.expect("proposals are committed").expect("no proposal has failed");
    }

    async fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.running.await.unwrap().expect("no proposal has failed")
    }
}

/// Retries what a busy machine may refuse for a moment: a server that was silent just now, an entry too many to catch up.
async fn patiently<T>(mut ask: impl AsyncFnMut() -> Result<T, MembershipError>) -> T {
    let passing = |error: &MembershipError| {
        matches!(error, MembershipError::Behind { .. } | MembershipError::TooFew { .. })
    };
    let seen = eventually(LONG, async || match ask().await {
        Ok(value) => Some(Ok(value)),
        Err(error) if passing(&error) => None,
        Err(error) => Some(Err(error)),
    });
    seen.await.unwrap().unwrap()
}

async fn grow(group: &mut Group, new: ServerId, ask: ServerId) {
    let member = group.join_one(new).await;
    let ask = group.node(ask).clone();
    let added = ask.add_learner(new, member.clone()).await.unwrap();
    assert!(added.changed);
    assert!(!ask.add_learner(new, member).await.unwrap().changed, "a second time changes nothing");
    assert!(patiently(async || ask.promote(new).await).await.changed);
}

fn voters(node: &Node) -> BTreeSet<ServerId> {
    let members = node.status().members.into_iter();
    members.filter(|member| member.role != MemberRole::Learner).map(|member| member.id).collect()
}

fn ids(all: &[u64]) -> BTreeSet<ServerId> {
    all.iter().copied().map(ServerId).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_becomes_three_then_five_then_three_and_no_proposal_fails() {
    let mut group = Group::start(1).await;
    group.leader().await;
    let mut load = Load::on(group.nodes());
    for new in 2..=5 {
        load.flows().await;
        // Whichever is asked, the leader does it.
        grow(&mut group, id(new), id(1.max(new - 2))).await;
        load.move_to(group.nodes());
    }
    load.flows().await;
    assert_eq!(voters(&group.leader().await), ids(&[1, 2, 3, 4, 5]));

    // One that follows, and the one that leads.
    let leader = group.leader().await.id();
    let follower = group.ids().into_iter().find(|id| *id != leader).unwrap();
    for gone in [follower, leader] {
        let staying: Vec<Node> = group.nodes().into_iter().filter(|node| node.id() != gone).collect();
        load.move_to(staying.clone());
        load.flows().await;
        patiently(async || staying[0].remove(gone).await).await;
        group.stop_one(gone).await;
        load.flows().await;
    }
    let committed = load.end().await;
    assert_eq!(voters(&group.leader().await).len(), 3);
    let all: BTreeSet<u64> = (0..committed).collect();
    for node in group.nodes() {
        eventually(LONG, async || tokens(&node) == all).await.unwrap();
    }
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_goes_where_it_is_told_and_no_proposal_fails() {
    let group = Group::start(3).await;
    group.leader().await;
    let mut load = Load::on(group.nodes());
    for target in [1, 2, 3, 1].map(ServerId) {
        load.flows().await;
        let before = group.leader().await;
        let (term, was) = (before.leadership().borrow().term, before.id());
        let done = group.node(id(2)).transfer_leadership(Some(target)).await.unwrap();
        assert_eq!((done.leader, done.changed), (target, was != target));
        let after = group.leader().await.leadership().borrow().clone();
        assert_eq!(after.leader, Some(target));
        assert!(was == target || after.term > term, "{after:?}");
    }
    load.flows().await;
    let leader = group.leader().await;
    leader.hand_over(LONG).await.unwrap();
    load.flows().await;
    assert_ne!(group.leader().await.id(), leader.id());
    let done = group.node(id(1)).transfer_leadership(None).await.unwrap();
    assert!(done.changed);
    load.end().await;
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lost_its_data_stays_out_until_it_was_removed_and_added_again() {
    let mut group = Group::start(3).await;
    let leader = group.leader().await;
    leader.propose(vec![token(1)]).await.unwrap();
    let lost = group.ids().into_iter().find(|id| *id != leader.id()).unwrap();
    let other = group.ids().into_iter().find(|id| *id != leader.id() && *id != lost).unwrap();
    group.stop_one(lost).await;
    group.lose_data(lost);
    group.start_one(lost).await;
    let mut standing = group.node(lost).standing();
    standing.wait_for(|seen| *seen == Standing::Lost).await.unwrap();
    leader.propose(vec![token(2)]).await.unwrap();

    // With one of the others gone there is no majority: the empty one neither acknowledges nor votes.
    group.stop_one(other).await;
    let refused = leader.propose(vec![token(3)]).await;
    assert!(matches!(refused, Err(ProposeError::NoLeader { .. })), "{refused:?}");
    assert_eq!(tokens(group.node(lost)), BTreeSet::new());
    group.start_one(other).await;
    let present = group.node(other).clone();
    present.propose(vec![token(4)]).await.unwrap();

    let member = member_of(&present, lost);
    let refused = present.add_learner(lost, member.clone()).await;
    assert_eq!(refused, Err(MembershipError::IsMember(lost)), "it has to be removed first");
    patiently(async || present.remove(lost).await).await;
    present.add_learner(lost, member).await.unwrap();
    standing.wait_for(|seen| *seen == Standing::Member).await.unwrap();
    assert!(patiently(async || present.promote(lost).await).await.changed);
    let all = tokens(&present);
    assert!(all.is_superset(&BTreeSet::from([1, 2, 4])));
    eventually(LONG, async || tokens(group.node(lost)).is_superset(&all)).await.unwrap();

    // Its word counts again.
    group.stop_one(other).await;
    group.node(lost).propose(vec![token(5)]).await.unwrap();
    group.stop().await;
}

fn member_of(node: &Node, id: ServerId) -> federation_raft::Member {
    node.status().members.into_iter().find(|member| member.id == id).unwrap().member
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_server_is_replaced_by_one_at_another_address() {
    let mut group = Group::start(3).await;
    let leader = group.leader().await;
    let dead = group.ids().into_iter().find(|id| *id != leader.id()).unwrap();
    group.stop_one(dead).await;
    group.lose_data(dead);
    leader.propose(vec![token(1)]).await.unwrap();
    let before = member_of(&leader, dead);
    patiently(async || leader.remove(dead).await).await;
    assert_eq!(leader.status().members.len(), 2);
    grow(&mut group, dead, leader.id()).await;
    assert_ne!(member_of(&leader, dead).raft, before.raft);
    // The others' configuration still has its old address: without its word there would be no majority now.
    let third = group.ids().into_iter().find(|id| *id != leader.id() && *id != dead).unwrap();
    group.stop_one(third).await;
    let committed = group.node(dead).propose(vec![token(2)]).await.unwrap();
    assert!(group.node(dead).wait_applied(committed.revision, LONG).await);
    assert_eq!(tokens(group.node(dead)), BTreeSet::from([1, 2]));
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_harm_the_group_is_refused_with_the_next_step() {
    let mut group = Group::start(1).await;
    let leader = group.leader().await;
    assert_eq!(leader.remove(id(1)).await, Err(MembershipError::LastVoter(id(1))));
    assert_eq!(leader.promote(id(2)).await, Err(MembershipError::NotAMember(id(2))));
    assert_eq!(leader.transfer_leadership(None).await, Err(MembershipError::NoSuccessor));
    let member = group.join_one(id(2)).await;
    let mut standing = group.node(id(2)).standing();
    let waiting = Standing::Waiting(Waiting::ToBeAdded);
    standing.wait_for(|seen| *seen == waiting).await.unwrap();
    let refused = leader.add_learner(id(3), member.clone()).await;
    assert!(matches!(refused, Err(MembershipError::Silent { .. })), "another server is there: {refused:?}");
    leader.add_learner(id(2), member.clone()).await.unwrap();
    eventually(LONG, async || leader.may_promote(id(2)).await.is_ok()).await.unwrap();
    assert_eq!(voters(&leader), ids(&[1]), "asking changes nothing");
    assert_eq!(
        leader.transfer_leadership(Some(id(2))).await,
        Err(MembershipError::NotAVoter(id(2))),
        "a learner does not lead"
    );

    // What was a member has data; it must be emptied before it comes back.
    let committed = leader.propose(vec![token(1)]).await.unwrap();
    assert!(group.node(id(2)).wait_applied(committed.revision, LONG).await);
    leader.remove(id(2)).await.unwrap();
    let refused = leader.add_learner(id(2), member.clone()).await;
    assert_eq!(refused, Err(MembershipError::HasData { server: id(2), address: member.raft }));
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_founded_when_all_of_its_servers_are_there() {
    let (mut group, mut listeners) = Group::bound(3).await;
    let (last, listener) = listeners.pop().unwrap();
    for (id, listener) in listeners {
        group.start_bound(id, listener).await;
    }
    let mut founder = group.node(id(1)).standing();
    let lacks = Standing::Waiting(Waiting::Answers(ids(&[3])));
    founder.wait_for(|seen| *seen == lacks).await.unwrap();
    let mut second = group.node(id(2)).standing();
    let waits = Standing::Waiting(Waiting::Founder(id(1)));
    second.wait_for(|seen| *seen == waits).await.unwrap();
    group.start_bound(last, listener).await;
    group.leader().await.propose(vec![token(1)]).await.unwrap();
    group.stop().await;
}
