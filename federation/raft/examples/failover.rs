//! How long nothing is committed after the leader has gone, at the default timings: `cargo run --release -p federation-raft
//! --example failover [ROUNDS]`. Three servers in one process, over mTLS on loopback, each with a directory of its own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement that fails may panic")]
#![allow(dead_code, reason = "the tests use more of the harness")]
#![allow(clippy::print_stdout, reason = "the figures are the result")]

#[path = "../tests/group/harness.rs"]
mod harness;

use std::time::Instant;

use federation_model::{Command, TokenHash, UnixMillis};
use harness::Group;

fn token(number: u8) -> Command {
    let (hash, cluster) = (TokenHash([number; 32]), "east".parse().unwrap());
    Command::CreateToken { hash, cluster, expires: UnixMillis(u64::MAX), by: None }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let rounds: u8 = std::env::args().nth(1).map_or(20, |text| text.parse().unwrap());
    let mut group = Group::start(3).await;
    let (mut leads, mut commits) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let leader = group.leader().await;
        let survivor = group.nodes().into_iter().find(|node| node.id() != leader.id()).unwrap();
        survivor.propose(vec![token(round)]).await.unwrap();
        let stopping = tokio::spawn({
            let leader = leader.clone();
            async move { leader.shutdown().await }
        });
        // From the moment at which it says nothing any more.
        leader.failed().await;
        let killed = Instant::now();
        let mut leadership = survivor.leadership();
        let next = leadership.wait_for(|seen| seen.leader.is_some_and(|next| next != leader.id()));
        let elected = async {
            next.await.unwrap();
            killed.elapsed().as_millis()
        };
        let committed = async {
            survivor.propose(vec![token(round)]).await.unwrap();
            killed.elapsed().as_millis()
        };
        let (led, committed) = tokio::join!(elected, committed);
        leads.push(led);
        commits.push(committed);
        stopping.await.unwrap();
        group.stop_one(leader.id()).await;
        group.start_one(leader.id()).await;
    }
    group.stop().await;
    for (what, mut millis) in [("another one leads", leads), ("the next commit", commits)] {
        millis.sort_unstable();
        let at = |percent: usize| millis[(millis.len() - 1) * percent / 100];
        println!("{what}: least {} ms, median {} ms, most {} ms, of {rounds}", at(0), at(50), at(100));
    }
}
