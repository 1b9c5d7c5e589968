//! What a group of real servers shows too seldom to be tested there.

use std::collections::BTreeMap;
use std::time::Duration;

use federation_model::UnixMillis;
use futures::FutureExt;
use futures::future::BoxFuture;
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::AppendEntriesResponse;

use super::*;
use crate::metrics::Metrics;
use crate::peer::transport::{Call, NoAnswer, Transport};
use crate::peer::wire::{Append, AppendAnswer};
use crate::store::codec::encode;
use crate::store::engine::Directory;
use crate::types::{Member, Seat, Vote};

const SECOND: Duration = Duration::from_secs(1);

/// Everybody else has voted for another leader.
#[derive(Debug)]
struct Elsewhere(Vote);

impl Transport for Elsewhere {
    fn call<'a>(
        &'a self,
        _target: ServerId,
        _known: Option<&'a Member>,
        call: Call,
        _payload: Vec<u8>,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Vec<u8>, NoAnswer>> {
        let answer: AppendAnswer = Ok(AppendEntriesResponse::HigherVote(self.0));
        async move {
            match call {
                Call::Append => encode(&answer).map_err(|error| NoAnswer::Failed(Box::new(error))),
                _ => Err(NoAnswer::Timeout(limit)),
            }
        }
        .boxed()
    }
}

/// A server alone, which leads; the others, which are no members, tell it of `vote`.
async fn leader(directory: &std::path::Path, vote: Vote) -> Node {
    let me = Member { api: "s1:1".to_owned(), raft: "s1:2".to_owned() };
    let (node, _port) = Node::start_on(Seams {
        id: ServerId(1),
        clusterset: "lab".parse().unwrap(),
        members: BTreeMap::from([(ServerId(1), me)]),
        join: false,
        fresh: 1,
        disk: Arc::new(Directory::open(directory.to_owned()).unwrap()),
        transport: Arc::new(Elsewhere(vote)),
        timing: Timing::default(),
        clock: Clock::of(|| UnixMillis(1)),
        space: Space::measured_by(0, || Ok(u64::MAX)),
        changes: 16,
        metrics: Metrics::default(),
        witness: None,
        planted: Planted::default(),
    })
    .await
    .unwrap();
    let mut leadership = node.leadership();
    tokio::time::timeout(10 * SECOND, leadership.wait_for(Leadership::is_leader)).await.unwrap().unwrap();
    node
}

#[tokio::test]
async fn a_leader_knows_of_a_higher_vote_before_its_replication_ends_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let higher = Vote::new(9, 2);
    let node = leader(directory.path(), higher).await;
    let mut peer = node.inner.network.clone().new_client(2, &Seat::default()).await;
    let vote = node.inner.raft.metrics().borrow().vote;
    let append = Append { vote, prev_log_id: None, entries: Vec::new(), leader_commit: None };
    let answer = peer.append_entries(append, RPCOption::new(SECOND)).await.unwrap();
    assert_eq!(answer, AppendEntriesResponse::HigherVote(higher));
    let known = node.inner.raft.with_raft_state(|state| *state.vote_ref()).await.unwrap();
    assert_eq!(known, higher);
    node.shutdown().await;
}
