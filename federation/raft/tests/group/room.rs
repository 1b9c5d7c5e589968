//! A disk without room: the server steps back, says so, serves reads, and comes back by itself.

use std::collections::BTreeSet;

use federation_kit::testing::eventually;
use federation_model::ServerId;
use federation_raft::{Node, ProposeError};

use crate::harness::{Group, LEAST_FREE, LONG};
use crate::{token, tokens};

async fn low(node: &Node, low: bool) {
    node.room().wait_for(|room| room.low == low).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_without_room_lets_another_lead_and_comes_back_when_there_is_room() {
    let group = Group::start(3).await;
    let full = group.leader().await;
    full.propose(vec![token(1)]).await.unwrap();
    group.set_free(full.id(), LEAST_FREE - 1);
    low(&full, true).await;
    eventually(LONG, async || !full.leadership().borrow().is_leader()).await.unwrap();
    // Writes go on, also by way of the one without room, which takes none of them.
    let committed = full.propose(vec![token(2)]).await.unwrap();
    for node in group.nodes().iter().filter(|node| node.id() != full.id()) {
        assert!(node.wait_applied(committed.revision, LONG).await);
    }
    assert_eq!(tokens(&full), BTreeSet::from([1]), "it serves what it has");
    // It does not stand for election, and is not chosen.
    let wished = group.leader().await.transfer_leadership(Some(full.id())).await;
    assert!(wished.is_err(), "{wished:?}");
    full.propose(vec![token(3)]).await.unwrap();

    group.set_free(full.id(), LEAST_FREE * 2);
    low(&full, false).await;
    eventually(LONG, async || tokens(&full) == BTreeSet::from([1, 2, 3])).await.unwrap();
    let leads = async || group.leader().await.transfer_leadership(Some(full.id())).await.is_ok();
    eventually(LONG, leads).await.unwrap();
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_anywhere_writes_are_refused_with_the_reason_and_reads_go_on() {
    let group = Group::start(1).await;
    let node = group.leader().await;
    node.propose(vec![token(1)]).await.unwrap();
    group.set_free(ServerId(1), 0);
    low(&node, true).await;
    assert_eq!(node.propose(vec![token(2)]).await, Err(ProposeError::DiskFull));
    assert_eq!(tokens(&node), BTreeSet::from([1]));
    group.set_free(ServerId(1), LEAST_FREE * 2);
    low(&node, false).await;
    node.propose(vec![token(3)]).await.unwrap();
    assert_eq!(tokens(&node), BTreeSet::from([1, 3]));
    group.stop().await;
}
