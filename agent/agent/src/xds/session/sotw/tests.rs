//! Tables of requests and changes, and what is sent for them. A response is written `cds a=1 b=1`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use envoy_types::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};

use super::super::fixture::{complaint, show, snapshot};
use super::super::{Session, Verdict};
use super::Sotw;
use crate::xds::resource::ResourceType;
use ResourceType::{Cluster, Endpoint, Listener, Route};

const NOTHING: [&str; 0] = [];

fn line(response: &DiscoveryResponse) -> String {
    let kind = ResourceType::of_url(&response.type_url).unwrap().short();
    let all = response.resources.iter().map(|body| format!(" {}", show(&body.value)));
    format!("{kind}{}", all.collect::<String>())
}

/// A stream, and a proxy that has read everything.
struct Stream {
    session: Sotw,
    nonces: std::collections::BTreeMap<ResourceType, String>,
}

impl Stream {
    fn new(types: &[(ResourceType, &str)]) -> Self {
        Self { session: Sotw::new(snapshot(types)), nonces: Default::default() }
    }

    fn send(&mut self, request: DiscoveryRequest) -> (Vec<String>, Option<Verdict>) {
        let step = self.session.on_request(request);
        (self.lines(&step.responses), step.verdict)
    }

    fn lines(&mut self, responses: &[DiscoveryResponse]) -> Vec<String> {
        for response in responses {
            self.nonces.insert(ResourceType::of_url(&response.type_url).unwrap(), response.nonce.clone());
        }
        responses.iter().map(line).collect()
    }

    fn request(&self, kind: ResourceType, names: &str) -> DiscoveryRequest {
        DiscoveryRequest {
            type_url: kind.type_url(),
            resource_names: names.split_whitespace().map(str::to_owned).collect(),
            response_nonce: self.nonces.get(&kind).cloned().unwrap_or_default(),
            ..DiscoveryRequest::default()
        }
    }

    fn want(&mut self, kind: ResourceType, names: &str) -> Vec<String> {
        self.send(self.request(kind, names)).0
    }

    fn change(&mut self, types: &[(ResourceType, &str)]) -> Vec<String> {
        let responses = self.session.on_snapshot(snapshot(types));
        self.lines(&responses)
    }
}

#[test]
fn a_request_without_names_asks_for_all_until_names_were_asked_for() {
    let mut stream = Stream::new(&[(Cluster, "a=1 b=1")]);
    assert_eq!(stream.want(Cluster, ""), ["cds a=1 b=1"]);
    assert_eq!(stream.want(Cluster, ""), NOTHING, "that was the acknowledgement");
    assert_eq!(stream.change(&[(Cluster, "a=2 b=1")]), ["cds a=2 b=1"], "absence would delete");
    assert_eq!(stream.want(Cluster, "a"), NOTHING, "it has that");
    assert_eq!(stream.want(Cluster, ""), NOTHING, "and now nothing is nothing");
    assert_eq!(stream.change(&[(Cluster, "a=3 b=1")]), NOTHING);
    assert_eq!(stream.want(Cluster, "*"), ["cds a=3 b=1"]);
}

#[test]
fn an_empty_world_is_an_answer() {
    let mut stream = Stream::new(&[]);
    assert_eq!(stream.want(Cluster, ""), ["cds"]);
    assert_eq!(stream.want(Listener, "x"), ["lds"], "so that a proxy knows that there is none");
    assert_eq!(stream.want(Endpoint, "x"), NOTHING);
    assert_eq!(stream.change(&[(Endpoint, "x=1 y=1"), (Listener, "x=1")]), ["eds x=1", "lds x=1"]);
}

#[test]
fn other_types_get_only_what_they_lack() {
    let mut stream = Stream::new(&[(Endpoint, "a=1 b=1 c=1")]);
    assert_eq!(stream.want(Endpoint, "a b"), ["eds a=1 b=1"]);
    assert_eq!(stream.want(Endpoint, "a b c"), ["eds c=1"]);
    assert_eq!(stream.change(&[(Endpoint, "a=1 b=2 c=1")]), ["eds b=2"]);
    assert_eq!(stream.want(Endpoint, "a"), NOTHING);
    assert_eq!(stream.want(Endpoint, "a b"), ["eds b=2"], "what was given up may be lost");
    assert_eq!(stream.change(&[(Endpoint, "a=1")]), NOTHING, "what is gone is not sent");
    assert_eq!(stream.change(&[(Endpoint, "a=1 b=2")]), ["eds b=2"]);
}

#[test]
fn stale_nonces_are_not_answered() {
    let mut stream = Stream::new(&[(Endpoint, "a=1 b=1")]);
    stream.want(Endpoint, "a");
    let written_before = stream.request(Endpoint, "a b");
    stream.change(&[(Endpoint, "a=2 b=1")]);
    assert_eq!(stream.send(written_before), (Vec::new(), None));
    assert_eq!(stream.want(Endpoint, "a b"), ["eds b=1"], "it says so again");
}

#[test]
fn verdicts_are_told_once_and_settle_the_stream() {
    let mut stream = Stream::new(&[(Cluster, "a=1")]);
    stream.want(Cluster, "");
    assert!(!stream.session.settled());
    let version = stream.session.snapshot().of(Cluster).version().to_owned();
    assert_eq!(
        stream.send(stream.request(Cluster, "")).1,
        Some(Verdict::Accepted { kind: Cluster, version })
    );
    assert!(stream.session.settled());
    assert_eq!(stream.send(stream.request(Cluster, "")), (Vec::new(), None));
}

#[test]
fn what_was_rejected_is_sent_again_with_the_next_change_of_its_type() {
    let mut stream = Stream::new(&[(Endpoint, "a=1 b=1")]);
    stream.want(Endpoint, "a b");
    let no = DiscoveryRequest { error_detail: complaint(), ..stream.request(Endpoint, "a b") };
    let rejected = Verdict::Rejected { kind: Endpoint, complaint: "no".to_owned() };
    assert_eq!(stream.send(no), (Vec::new(), Some(rejected)));
    assert!(!stream.session.settled());
    assert_eq!(stream.change(&[(Endpoint, "a=1 b=1"), (Route, "r=1")]), NOTHING);
    assert_eq!(stream.change(&[(Endpoint, "a=1 b=2")]), ["eds a=1 b=2"]);
}

#[test]
fn endpoints_of_a_replaced_cluster_are_sent_again() {
    let mut stream = Stream::new(&[(Cluster, "a=1 b=1"), (Endpoint, "a=1 b=1")]);
    stream.want(Cluster, "");
    stream.want(Endpoint, "a b");
    assert_eq!(stream.change(&[(Cluster, "a=2 b=1"), (Endpoint, "a=1 b=1")]), ["cds a=2 b=1", "eds a=1"]);
}

#[test]
fn clusters_are_deleted_after_what_refers_to_them() {
    let mut stream = Stream::new(&[(Cluster, "a=1 b=1"), (Listener, "l=1 m=1"), (Route, "r=1")]);
    stream.want(Cluster, "");
    stream.want(Listener, "");
    stream.want(Route, "r");
    assert_eq!(
        stream.change(&[(Cluster, "b=1 c=1"), (Listener, "l=1"), (Route, "r=2")]),
        ["cds b=1 c=1 a=1", "lds l=1", "rds r=2", "cds b=1 c=1"]
    );
    assert_eq!(stream.change(&[(Cluster, "c=1"), (Listener, "l=1"), (Route, "r=3")]), ["rds r=3", "cds c=1"]);
}

#[test]
fn complaints_are_cut() {
    let mut stream = Stream::new(&[(Cluster, "a=1")]);
    stream.want(Cluster, "");
    let mut no = DiscoveryRequest { error_detail: complaint(), ..stream.request(Cluster, "") };
    no.error_detail.as_mut().unwrap().message = "ü".repeat(10_000);
    let Some(Verdict::Rejected { complaint, .. }) = stream.send(no).1 else { panic!("a verdict") };
    assert_eq!(complaint, "ü".repeat(super::super::MAX_COMPLAINT / 2));
}
