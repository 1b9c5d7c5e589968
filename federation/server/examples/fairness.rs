//! How long a calm cluster waits for its writes, alone and beside one that writes all it can. Three servers in this
//! process, over real TLS and with real disks; both clusters publish through the same follower.
//!
//! `cargo run --release -p federation-server --example fairness -- [SECONDS] [ROUNDS]`
//!
//! Each round measures the calm cluster alone, then beside the flood, for so many seconds. It does so twice: with the limits
//! that a server has unless it is told otherwise, and with the rate of changes lifted, so that only the queue is fair.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what cannot be measured ends the program")]
#![allow(dead_code, reason = "the tests' harness has more than is needed here")]

#[path = "../tests/federation/harness.rs"]
mod harness;
#[path = "../tests/federation/streams.rs"]
mod streams;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use federation_api::federation as wire;
use federation_api::federation::publish_request::Message as Ask;
use federation_server::limits::Limits;
use harness::{Federation, export, hello, instance};
use streams::Publisher;

/// Between two writes of the calm cluster.
const PAUSE: Duration = Duration::from_millis(10);
/// Writes of the flood that are not answered.
const UNANSWERED: usize = 512;
/// Bytes of each.
const FLOOD_BYTES: usize = 4_096;

fn main() {
    tokio::runtime::Runtime::new().unwrap().block_on(compare());
}

async fn compare() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>().unwrap());
    let (seconds, rounds) = (args.next().unwrap_or(10), args.next().unwrap_or(3));
    let lifted =
        Limits { changes_per_second: NonZeroU32::MAX, changes_burst: NonZeroU32::MAX, ..Limits::default() };
    for (case, limits) in [("default limits", Limits::default()), ("no limit of rate", lifted)] {
        let federation = Federation::start_with(limits).await;
        let server = federation.follower().await;
        let flooding = Arc::new(AtomicBool::new(false));
        let written = Arc::new(AtomicU64::new(0));
        let calm = opened(&federation, server, "calm", '1').await;
        let flood = opened(&federation, server, "flood", '2').await;
        let alive = tokio::spawn(keep_alive(federation.agent(server, "calm"), '1'));
        let alive_too = tokio::spawn(keep_alive(federation.agent(server, "flood"), '2'));
        let task = tokio::spawn(run_flood(flood, Arc::clone(&flooding), Arc::clone(&written)));
        measure(case, calm, &flooding, &written, Duration::from_secs(seconds), rounds).await;
        for task in [task, alive, alive_too] {
            task.abort();
        }
        federation.stop().await;
    }
}

async fn opened(federation: &Federation, server: usize, cluster: &str, digit: char) -> Publisher {
    let mut publisher = Publisher::open(federation.agent(server, cluster)).await.unwrap();
    publisher.commit(Ask::Hello(hello(cluster, digit))).await;
    publisher
}

/// Renews a lease every three seconds, as agents do.
async fn keep_alive(
    mut agent: federation_api::federation::federation_client::FederationClient<tonic::transport::Channel>,
    digit: char,
) {
    let (asks, requests) = tokio::sync::mpsc::channel(1);
    let stream = tokio_stream::wrappers::ReceiverStream::new(requests);
    let mut leases = agent.report(stream).await.unwrap().into_inner();
    loop {
        asks.send(wire::ReportRequest { instance: instance(digit), ..Default::default() }).await.unwrap();
        leases.message().await.unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
}

async fn run_flood(mut flood: Publisher, flooding: Arc<AtomicBool>, written: Arc<AtomicU64>) {
    let note = [("note".to_owned(), "x".repeat(FLOOD_BYTES))];
    let mut generation = 0;
    let mut unanswered = 0;
    loop {
        if flooding.load(Ordering::Relaxed) && unanswered < UNANSWERED {
            generation += 1;
            let name = format!("s{}", generation % 100);
            let put = wire::Export { annotations: note.clone().into(), ..export(&name, generation, &[]) };
            flood.send(Ask::Put(put)).await;
            unanswered += 1;
        } else if unanswered > 0 {
            flood.answer().await.unwrap();
            unanswered -= 1;
            written.fetch_add(1, Ordering::Relaxed);
        } else {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn measure(
    case: &str,
    mut calm: Publisher,
    flooding: &AtomicBool,
    written: &AtomicU64,
    time: Duration,
    rounds: u64,
) {
    let mut generation = 0;
    let mut took: [Vec<Duration>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (beside, took) in [false, true].into_iter().zip(&mut took) {
            flooding.store(beside, Ordering::Relaxed);
            // What the case before left behind is not measured.
            tokio::time::sleep(Duration::from_secs(2)).await;
            let begun = Instant::now();
            while begun.elapsed() < time {
                generation += 1;
                let asked = Instant::now();
                calm.commit(Ask::Put(export("calm", generation, &[]))).await;
                took.push(asked.elapsed());
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    flooding.store(false, Ordering::Relaxed);
    let millis = |took: &mut Vec<Duration>, percent: usize| {
        took.sort_unstable();
        let at = (took.len() * percent / 100).min(took.len().saturating_sub(1));
        took.get(at).map_or(f64::NAN, |took| took.as_secs_f64() * 1_000.0)
    };
    let [alone, beside] = &mut took;
    for percent in [50, 99] {
        let (one, other) = (millis(alone, percent), millis(beside, percent));
        println!(
            "{case}: p{percent} alone {one:.2} ms, beside the flood {other:.2} ms, ratio {:.2}",
            other / one
        );
    }
    let flood = written.load(Ordering::Relaxed);
    println!("{case}: {} and {} writes of the calm cluster, {flood} of the flood", alone.len(), beside.len());
}
