//! What one cluster may take, on real servers.

use std::num::NonZeroU32;

use federation_api::federation as wire;
use federation_api::federation::publish_request::Message as Ask;
use federation_api::federation::publish_response::Message as Answer;
use federation_kit::testing::eventually;
use federation_model::FederationView;
use federation_server::limits::Limits;
use tonic::Code;

use crate::harness::{Federation, LONG, export, hello};
use crate::reason;
use crate::streams::{Publisher, Watcher};

fn headless(name: &str, endpoints: usize) -> wire::Export {
    let address =
        |n: usize| wire::Endpoint { address: format!("10.0.0.{n}"), ready: true, ..Default::default() };
    wire::Export {
        kind: wire::ExportKind::Headless.into(),
        endpoints: (0..endpoints).map(address).collect(),
        ..export(name, 1, &[])
    }
}

async fn refused(publisher: &mut Publisher, put: wire::Export) -> (String, Option<u64>, Option<u64>) {
    let answer = publisher.ask(Ask::Put(put)).await.unwrap();
    let Answer::Refused(refused) = answer else { panic!("{answer:?}") };
    (refused.reason, refused.limit, refused.present)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_a_quota_is_refused_with_the_limit_and_the_rest_goes_on() {
    let federation = Federation::start_with(Limits { exports: 2, endpoints: 3, ..Limits::default() }).await;
    let mut east = Publisher::open(federation.agent(0, "east")).await.unwrap();
    east.commit(Ask::Hello(hello("east", '1'))).await;
    east.commit(Ask::Put(export("a", 1, &[]))).await;
    assert_eq!(refused(&mut east, headless("b", 4)).await, ("quota_endpoints".to_owned(), Some(3), Some(0)));
    east.commit(Ask::Put(headless("b", 3))).await;
    assert_eq!(refused(&mut east, export("c", 1, &[])).await, ("quota_exports".to_owned(), Some(2), Some(2)));
    // Its neighbour is another account, and what it has may change.
    let mut west = Publisher::open(federation.agent(0, "west")).await.unwrap();
    west.commit(Ask::Hello(hello("west", '2'))).await;
    west.commit(Ask::Put(export("c", 1, &[]))).await;
    east.commit(Ask::Put(wire::Export { generation: 2, ..headless("b", 2) })).await;

    // The next stream, at another server, goes on with the same account; what was withdrawn makes room.
    let mut again = Publisher::open(federation.agent(1, "east")).await.unwrap();
    again.commit(Ask::Hello(hello("east", '1'))).await;
    assert_eq!(refused(&mut again, export("c", 1, &[])).await.0, "quota_exports");
    again.commit(Ask::Put(export("a", 1, &[]))).await;
    again.commit(Ask::SyncPoint(wire::SyncPoint {})).await;
    again.commit(Ask::Put(export("c", 1, &[]))).await;
    assert_eq!(federation.servers[0].metrics.refused("quota_exports"), 1);
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_too_fast_is_read_more_slowly_and_nothing_is_lost() {
    let number = |number| NonZeroU32::new(number).unwrap();
    let limits = Limits { changes_per_second: number(50), changes_burst: number(5), ..Limits::default() };
    let federation = Federation::start_with(limits).await;
    let mut east = Publisher::open(federation.agent(0, "east")).await.unwrap();
    east.send(Ask::Hello(hello("east", '1'))).await;
    for generation in 1..=30 {
        east.send(Ask::Put(export("a", generation, &[]))).await;
    }
    for _ in 0..=30 {
        assert!(matches!(east.answer().await.unwrap(), Answer::Committed(_)));
    }
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_over_its_memory_limit_takes_nothing_new_but_proofs_of_life() {
    let federation = Federation::start_with(Limits { memory_bytes: Some(1), ..Limits::default() }).await;
    let full = async || {
        let refused = Watcher::open(federation.agent(0, "east"), FederationView::default()).await.err()?;
        Some((
            refused.code(),
            reason(&refused).to_owned(),
            refused.message().contains("takes nothing new over 1"),
        ))
    };
    let expected = (Code::ResourceExhausted, "memory".to_owned(), true);
    assert_eq!(eventually(LONG, full).await.unwrap(), expected);
    let refused = Publisher::open(federation.agent(0, "east")).await.err().unwrap();
    assert_eq!(reason(&refused), "memory");
    assert!(federation.servers[0].metrics.refused("memory") >= 2);
    let report = wire::ReportRequest { instance: crate::harness::instance('1'), ..Default::default() };
    let mut leases =
        federation.agent(0, "east").report(tokio_stream::iter([report])).await.unwrap().into_inner();
    assert_eq!(reason(&leases.message().await.unwrap_err()), "unknown_cluster");
    federation.stop().await;
}
