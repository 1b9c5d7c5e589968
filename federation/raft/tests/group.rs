//! Three servers in one process, over real mTLS on ports of the system's choice.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test may panic")]

#[path = "group/harness.rs"]
mod harness;
#[path = "group/members.rs"]
mod members;
#[path = "group/room.rs"]
mod room;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use federation_kit::testing::eventually;
use federation_model::{Backup, ClusterId, Command, Lease, Revision, ServerId, TokenHash, UnixMillis};
use federation_raft::{MemberRole, ProposeError, StartError, StoreError};
use harness::{Group, LONG, Stranger};

fn token(number: u64) -> Command {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    Command::CreateToken {
        hash: TokenHash(hash),
        cluster: "east".parse().unwrap(),
        expires: UnixMillis(u64::MAX),
        by: None,
    }
}

fn tokens(node: &federation_raft::Node) -> BTreeSet<u64> {
    let number = |hash: TokenHash| u64::from_be_bytes(hash.0[..8].try_into().unwrap());
    node.read(|state, _| state.tokens().map(|token| number(token.hash)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_by_any_server_are_on_all_of_them() {
    let group = Group::start(3).await;
    group.leader().await;
    for (number, id) in group.ids().into_iter().enumerate() {
        let committed = group.node(id).propose(vec![token(number as u64)]).await.unwrap();
        assert_eq!(committed.outcomes, [Ok(())]);
        for other in group.ids() {
            assert!(group.node(other).wait_applied(committed.revision, LONG).await, "{other}");
        }
    }
    for id in group.ids() {
        assert_eq!(tokens(group.node(id)), BTreeSet::from([0, 1, 2]));
    }
    let status = group.leader().await.status();
    assert_eq!(status.members.len(), 3);
    assert_eq!(status.members.iter().filter(|m| m.role == MemberRole::Leader).count(), 1);
    assert!(status.disk_bytes > 0 && status.last_log_index >= 3, "{status:?}");
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writes_share_entries_and_each_hears_its_own_outcome() {
    let group = Group::start(3).await;
    let leader = group.leader().await;
    let before = leader.status().last_log_index;
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..300_u64 {
        let node = group.node(group.ids()[(number % 3) as usize]).clone();
        writers.spawn(async move {
            let unknown = Command::RenewLease {
                cluster: format!("c{number}").parse().unwrap(),
                instance: "0".repeat(32).parse().unwrap(),
            };
            let committed = node.propose(vec![token(number), unknown]).await.unwrap();
            assert_eq!(committed.outcomes[0], Ok(()));
            let rejection = committed.outcomes[1].clone().unwrap_err().to_string();
            assert!(rejection.contains(&format!("c{number} ")), "{rejection}");
        });
    }
    while let Some(written) = writers.join_next().await {
        written.unwrap();
    }
    let entries = leader.status().last_log_index - before;
    assert!(entries < 150, "300 writes took {entries} entries");
    assert_eq!(tokens(&leader).len(), 300);
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_write_is_lost_when_leaders_die() {
    let mut group = Group::start(3).await;
    let mut acknowledged = BTreeSet::new();
    let mut next = 0;
    for _ in 0..2 {
        let leader = group.leader().await.id();
        let writer = group.ids().into_iter().find(|id| *id != leader).unwrap();
        let node = group.node(writer).clone();
        let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
        let writing = tokio::spawn(async move {
            let mut done = Vec::new();
            while stopped.try_recv().is_err() {
                if node.propose(vec![token(next)]).await.is_ok() {
                    done.push(next);
                }
                next += 1;
            }
            (done, next)
        });
        eventually(LONG, async || tokens(group.node(writer)).len() > acknowledged.len() + 20).await.unwrap();
        group.stop_one(leader).await;
        let survivor = group.node(writer);
        eventually(LONG, async || survivor.leadership().borrow().leader.is_some_and(|l| l != leader))
            .await
            .unwrap();
        let seen = tokens(survivor).len();
        eventually(LONG, async || tokens(survivor).len() > seen + 20).await.unwrap();
        stop.send(()).unwrap();
        let (done, reached) = writing.await.unwrap();
        acknowledged.extend(done);
        next = reached;
        group.start_one(leader).await;
        let last = *group.node(writer).applied().borrow();
        assert!(group.node(leader).wait_applied(last, LONG).await, "the restarted server catches up");
    }
    for id in group.ids() {
        eventually(LONG, async || tokens(group.node(id)).is_superset(&acknowledged)).await.unwrap();
    }
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_nothing_is_acknowledged() {
    let mut group = Group::start(3).await;
    let leader = group.leader().await.id();
    let others: Vec<ServerId> = group.ids().into_iter().filter(|id| *id != leader).collect();
    for id in &others {
        group.stop_one(*id).await;
    }
    let refused = group.node(leader).propose(vec![token(1)]).await;
    assert!(matches!(refused, Err(ProposeError::NoLeader { .. })), "{refused:?}");
    for id in &others {
        group.start_one(*id).await;
    }
    group.leader().await.propose(vec![token(2)]).await.unwrap();
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_after_all_were_stopped_also_through_a_snapshot() {
    let mut group = Group::with_snapshots_every(3, 40).await;
    let leader = group.leader().await.id();
    let lagging = group.ids().into_iter().find(|id| *id != leader).unwrap();
    group.stop_one(lagging).await;
    for number in 0..200 {
        group.node(leader).propose(vec![token(number)]).await.unwrap();
    }
    eventually(LONG, async || group.node(leader).status().snapshot_index > 100).await.unwrap();
    // What the lagging server needs was purged: it gets a snapshot.
    group.start_one(lagging).await;
    eventually(LONG, async || tokens(group.node(lagging)).len() == 200).await.unwrap();

    for id in group.ids() {
        group.stop_one(id).await;
    }
    for id in group.ids() {
        group.start_one(id).await;
        // From its own disk, whether it has heard from the others yet or not: at least what its snapshot holds.
        assert!(tokens(group.node(id)).len() > 100);
    }
    group.leader().await;
    for id in group.ids() {
        eventually(LONG, async || tokens(group.node(id)).len() == 200).await.unwrap();
    }
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_of_another_server_is_refused() {
    let mut group = Group::start(1).await;
    group.leader().await;
    let id = group.ids()[0];
    group.stop_one(id).await;
    let refused = group.try_start(id, ServerId(9)).await.unwrap_err();
    assert!(matches!(refused, StartError::Store(StoreError::Foreign { .. })), "{refused}");
    group.start_one(id).await;
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wall_clocks_that_jump_do_not_move_the_clustersets_time() {
    const HOUR: u64 = 3_600_000;
    let mut group = Group::start(3).await;
    let leader = group.leader().await;
    leader.propose(vec![token(1)]).await.unwrap();
    let begun = leader.last_batch_at();
    group.wrong_by.store(HOUR, Ordering::Relaxed);
    leader.propose(vec![token(2)]).await.unwrap();
    let jumped = leader.last_batch_at();
    assert!(jumped >= begun && jumped.since(begun) < HOUR, "{begun} {jumped}");
    assert!(leader.now().since(begun) < HOUR);
    // Nor at a change of leader, once the others have applied anything.
    let id = leader.id();
    let other = group.ids().into_iter().find(|other| *other != id).unwrap();
    let last = *leader.applied().borrow();
    for other in group.ids() {
        assert!(group.node(other).wait_applied(last, LONG).await);
    }
    group.stop_one(id).await;
    group.node(other).propose(vec![token(3)]).await.unwrap();
    let later = group.leader().await.last_batch_at();
    assert!(later >= jumped && later.since(begun) < HOUR, "{begun} {later}");
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_expires_leases_and_not_before_its_own_grace() {
    let group = Group::start(1).await;
    let leader = group.leader().await;
    let cluster: ClusterId = "east".parse().unwrap();
    leader.propose(vec![harness::registration(&cluster)]).await.unwrap();
    let held = leader.read(|state, _| state.cluster(&cluster).unwrap().lease.clone());
    let Lease::Held { until, .. } = held else { panic!("{held:?}") };
    let expired = async || match leader.read(|state, _| state.cluster(&cluster).unwrap().lease.clone()) {
        Lease::Expired { at } => Some(at),
        Lease::Held { .. } => None,
    };
    let at = eventually(LONG, expired).await.unwrap();
    assert!(at >= until, "{at} {until}");
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_servers_of_the_clusterset_reach_the_raft_port() {
    let group = Group::start(1).await;
    let revision = *group.leader().await.applied().borrow();
    for stranger in [Stranger::Agent, Stranger::ForeignServer, Stranger::Anonymous] {
        // In TLS 1.3 the dialler is done before it is refused, and hears of it in its first call.
        let refused = group.call_as(&stranger).await.unwrap_err();
        let broken = [tonic::Code::Unavailable, tonic::Code::Cancelled, tonic::Code::Unknown];
        assert!(broken.contains(&refused.code()), "{stranger:?}: {refused}");
    }
    // A server gets through and is told that its payload makes no sense.
    let refused = group.call_as(&Stranger::Server).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
    assert!(*group.leader().await.applied().borrow() >= revision.max(Revision(1)));
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_says_so() {
    let group = Group::start(1).await;
    let leader = group.leader().await;
    leader.shutdown().await;
    leader.shutdown().await;
    assert_eq!(leader.propose(vec![token(1)]).await, Err(ProposeError::Stopped));
    assert!(!leader.wait_applied(Revision(99), Duration::from_millis(1)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_set_of_servers_begins_with_a_backup_and_goes_on() {
    let old = Group::start(1).await;
    old.leader().await.propose(vec![token(1)]).await.unwrap();
    let state = old.leader().await.read(|state, _| state.clone());
    let taken_at = state.revision();
    old.stop().await;
    let backup = Backup::of(state, "lab".parse().unwrap(), UnixMillis(5), "0.1.0".to_owned());

    let group = Group::founded_with(3, &backup.to_bytes().unwrap()).await;
    let leader = group.leader().await;
    let committed = leader.propose(vec![token(2)]).await.unwrap();
    assert!(committed.revision.0 > taken_at.0 + 1_000_000, "{:?}", committed.revision);
    for id in group.ids() {
        assert!(group.node(id).wait_applied(committed.revision, LONG).await);
        assert_eq!(tokens(group.node(id)), BTreeSet::from([1, 2]), "{id}");
    }
    assert_eq!(leader.status().members.len(), 3);
    group.stop().await;
}
