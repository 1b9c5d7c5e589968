//! Tables of requests and changes, and what is sent for them. A response is written `cds +a=1 -b`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

use super::super::fixture::{complaint, resource, show, snapshot};
use super::super::{Session, Verdict};
use super::Delta;
use crate::xds::resource::{ResourceType, Snapshot};
use ResourceType::{Cluster, Endpoint, Listener, Route, Secret};

fn line(response: &DeltaDiscoveryResponse) -> String {
    let kind = ResourceType::of_url(&response.type_url).unwrap().short();
    let added = response.resources.iter().map(|one| {
        let body = show(&one.resource.as_ref().unwrap().value);
        assert_eq!(body.split('=').next(), Some(one.name.as_str()));
        format!(" +{body}")
    });
    let removed = response.removed_resources.iter().map(|name| format!(" -{name}"));
    format!("{kind}{}", added.chain(removed).collect::<String>())
}

/// A stream and the nonce of its last response.
struct Stream {
    session: Delta,
    nonce: String,
}

impl Stream {
    fn new(types: &[(ResourceType, &str)]) -> Self {
        Self { session: Delta::new(snapshot(types)), nonce: String::new() }
    }

    fn send(&mut self, request: DeltaDiscoveryRequest) -> (Vec<String>, Option<Verdict>) {
        let step = self.session.on_request(request);
        (self.lines(&step.responses), step.verdict)
    }

    fn lines(&mut self, responses: &[DeltaDiscoveryResponse]) -> Vec<String> {
        if let Some(last) = responses.last() {
            self.nonce.clone_from(&last.nonce);
        }
        responses.iter().map(line).collect()
    }

    /// Subscribes (`a`) and unsubscribes (`-a`).
    fn subscribe(&mut self, kind: ResourceType, names: &str) -> Vec<String> {
        self.send(request(kind, names)).0
    }

    fn ack(&mut self, kind: ResourceType) -> Option<Verdict> {
        let response_nonce = self.nonce.clone();
        let (responses, verdict) = self.send(DeltaDiscoveryRequest { response_nonce, ..request(kind, "") });
        assert_eq!(responses, [""; 0], "an acknowledgement is not answered");
        verdict
    }

    fn nack(&mut self, kind: ResourceType) -> Option<Verdict> {
        let response_nonce = self.nonce.clone();
        let request =
            DeltaDiscoveryRequest { response_nonce, error_detail: complaint(), ..request(kind, "") };
        let (responses, verdict) = self.send(request);
        assert_eq!(responses, [""; 0], "what was refused is not sent again unchanged");
        verdict
    }

    fn change(&mut self, types: &[(ResourceType, &str)]) -> Vec<String> {
        let responses = self.session.on_snapshot(snapshot(types));
        self.lines(&responses)
    }
}

fn request(kind: ResourceType, names: &str) -> DeltaDiscoveryRequest {
    let (minus, plus): (Vec<&str>, Vec<&str>) =
        names.split_whitespace().partition(|name| name.starts_with('-'));
    DeltaDiscoveryRequest {
        type_url: kind.type_url(),
        resource_names_subscribe: plus.into_iter().map(str::to_owned).collect(),
        resource_names_unsubscribe: minus.into_iter().map(|name| name[1..].to_owned()).collect(),
        ..DeltaDiscoveryRequest::default()
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_first_request_without_names_asks_for_all_clusters() {
    let mut stream = Stream::new(&[(Cluster, "a=1 b=1"), (Endpoint, "a=1")]);
    assert_eq!(stream.subscribe(Cluster, ""), ["cds +a=1 +b=1"]);
    assert_eq!(stream.subscribe(Cluster, ""), NOTHING, "only the first does");
    assert_eq!(stream.subscribe(Endpoint, ""), NOTHING, "and not of every type");
    assert_eq!(stream.change(&[(Cluster, "a=2 b=1 c=1"), (Endpoint, "a=1")]), ["cds +a=2 +c=1"]);
    assert_eq!(stream.change(&[(Cluster, "a=2"), (Endpoint, "a=1")]), ["cds -b -c"]);
}

#[test]
fn an_empty_world_is_an_answer_to_a_proxy_that_has_nothing() {
    let mut stream = Stream::new(&[]);
    assert_eq!(stream.subscribe(Listener, ""), ["lds"]);
    assert_eq!(stream.subscribe(Endpoint, "a"), ["eds -a"], "what does not exist is named at once");
    assert_eq!(stream.change(&[(Endpoint, "a=1")]), ["eds +a=1"], "and remembered");
    assert_eq!(stream.change(&[(Endpoint, "a=1 b=1")]), NOTHING);
}

#[test]
fn the_old_wildcard_stays_beside_names() {
    let mut stream = Stream::new(&[(Cluster, "a=1")]);
    assert_eq!(stream.subscribe(Cluster, ""), ["cds +a=1"]);
    assert_eq!(stream.subscribe(Cluster, "x"), ["cds -x"]);
    assert_eq!(stream.change(&[(Cluster, "a=1 b=1")]), ["cds +b=1"]);
}

#[test]
fn the_star_is_asked_for_and_given_back() {
    let mut stream = Stream::new(&[(Cluster, "a=1 b=1")]);
    assert_eq!(stream.subscribe(Cluster, "a"), ["cds +a=1"]);
    assert_eq!(stream.subscribe(Cluster, "*"), ["cds +b=1"]);
    // A name that the wildcard covers too must be answered when it is given back.
    assert_eq!(stream.subscribe(Cluster, "-a"), ["cds +a=1"]);
    assert_eq!(stream.subscribe(Cluster, "-*"), NOTHING);
    assert_eq!(stream.change(&[(Cluster, "a=2 b=2")]), NOTHING);
}

#[test]
fn a_name_asked_for_again_is_sent_again() {
    let mut stream = Stream::new(&[(Endpoint, "a=1")]);
    assert_eq!(stream.subscribe(Endpoint, "a"), ["eds +a=1"]);
    assert_eq!(stream.subscribe(Endpoint, "a"), ["eds +a=1"]);
    assert_eq!(stream.subscribe(Endpoint, "-a"), NOTHING);
    assert_eq!(stream.change(&[(Endpoint, "a=2")]), NOTHING);
    assert_eq!(stream.subscribe(Endpoint, "a"), ["eds +a=2"]);
    assert_eq!(stream.subscribe(Endpoint, "x -a"), ["eds -x"], "both in one request");
}

#[test]
fn subscriptions_count_whatever_the_nonce() {
    let mut stream = Stream::new(&[(Endpoint, "a=1 b=1")]);
    assert_eq!(stream.subscribe(Endpoint, "a"), ["eds +a=1"]);
    let stale = DeltaDiscoveryRequest { response_nonce: "77".to_owned(), ..request(Endpoint, "b") };
    assert_eq!(stream.send(stale), (vec!["eds +b=1".to_owned()], None));
}

#[test]
fn a_proxy_that_comes_back_gets_only_what_it_lacks() {
    let held = |all: &[(&str, &str)]| {
        all.iter()
            .map(|(name, content)| ((*name).to_owned(), resource(name, content).version.to_string()))
            .collect()
    };
    let mut stream = Stream::new(&[(Cluster, "a=1 b=2"), (Endpoint, "a=1 b=2")]);
    let versions = held(&[("a", "1"), ("b", "1"), ("gone", "1")]);
    let back = DeltaDiscoveryRequest { initial_resource_versions: versions, ..request(Cluster, "") };
    assert_eq!(stream.send(back).0, ["cds +b=2 -gone"]);
    let versions = held(&[("a", "1"), ("other", "1")]);
    let back = DeltaDiscoveryRequest { initial_resource_versions: versions, ..request(Endpoint, "a b") };
    assert_eq!(stream.send(back).0, ["eds +b=2"], "what it has and does not ask for is not our business");
    // Nothing at all, if nothing changed.
    let mut stream = Stream::new(&[(Cluster, "a=1")]);
    let back =
        DeltaDiscoveryRequest { initial_resource_versions: held(&[("a", "1")]), ..request(Cluster, "") };
    assert_eq!(stream.send(back).0, NOTHING);
    assert_eq!(stream.change(&[(Cluster, "a=2")]), ["cds +a=2"]);
}

#[test]
fn verdicts_are_told_once_and_settle_the_stream() {
    let mut stream = Stream::new(&[(Cluster, "a=1")]);
    stream.subscribe(Cluster, "");
    assert!(!stream.session.settled());
    let version = stream.session.snapshot().of(Cluster).version().to_owned();
    assert_eq!(stream.ack(Cluster), Some(Verdict::Accepted { kind: Cluster, version }));
    assert!(stream.session.settled());
    assert_eq!(stream.ack(Cluster), None);
}

#[test]
fn what_was_rejected_is_sent_again_with_the_next_change_of_its_type() {
    let mut stream = Stream::new(&[(Cluster, "a=1 b=1"), (Listener, "l=1")]);
    stream.subscribe(Cluster, "");
    let rejected = Verdict::Rejected { kind: Cluster, complaint: "no".to_owned() };
    assert_eq!(stream.nack(Cluster), Some(rejected));
    assert!(!stream.session.settled());
    stream.subscribe(Listener, "");
    assert_eq!(stream.change(&[(Cluster, "a=1 b=1"), (Listener, "l=2")]), ["lds +l=2"]);
    assert_eq!(stream.change(&[(Cluster, "a=1 b=2"), (Listener, "l=2")]), ["cds +a=1 +b=2"]);
    assert_eq!(stream.change(&[(Cluster, "a=1 b=3"), (Listener, "l=2")]), ["cds +b=3"]);
}

#[test]
fn endpoints_of_a_replaced_cluster_are_sent_again() {
    let mut stream = Stream::new(&[(Cluster, "a=1 b=1"), (Endpoint, "a=1 b=1")]);
    stream.subscribe(Cluster, "");
    stream.subscribe(Endpoint, "a b");
    assert_eq!(
        stream.change(&[(Cluster, "a=2 b=1 c=1"), (Endpoint, "a=1 b=1 c=1")]),
        ["cds +a=2 +c=1", "eds +a=1"],
        "of a cluster that is new the proxy will ask"
    );
}

#[test]
fn changes_are_sent_in_order_and_removals_after_them_in_theirs() {
    let all = |content: &str| -> Vec<(ResourceType, String)> {
        ResourceType::ALL.into_iter().map(|kind| (kind, format!("{} {}", content, kind.short()))).collect()
    };
    let borrowed = |all: &[(ResourceType, String)]| {
        snapshot(&all.iter().map(|(kind, text)| (*kind, text.as_str())).collect::<Vec<_>>())
    };
    let mut stream = Stream { session: Delta::new(borrowed(&all("x=1 y=1"))), nonce: String::new() };
    for kind in [Cluster, Endpoint, Listener, Route, Secret] {
        stream.subscribe(kind, "*");
    }
    let responses = stream.session.on_snapshot(borrowed(&all("x=2")));
    assert_eq!(
        stream.lines(&responses),
        [
            "cds +x=2", "eds +x=2", "lds +x=2", "rds +x=2", "sds +x=2", //
            "lds -y", "rds -y", "cds -y", "eds -y", "sds -y",
        ]
    );
}

#[test]
fn unknown_types_and_endless_lists_are_not_answered() {
    let mut stream = Stream::new(&[(Endpoint, "a=1")]);
    let unknown =
        DeltaDiscoveryRequest { type_url: "type.googleapis.com/x".to_owned(), ..request(Endpoint, "a") };
    assert_eq!(stream.send(unknown).0, NOTHING);
    let many: String = (0..super::MAX_NAMES + 10).map(|n| format!("n{n} ")).collect();
    assert_eq!(stream.subscribe(Endpoint, &many).len(), 1);
    assert_eq!(stream.subscribe(Endpoint, "a"), NOTHING, "there is no more room");
}

#[test]
fn equal_snapshots_send_nothing() {
    let same: Arc<Snapshot> = snapshot(&[(Cluster, "a=1"), (Endpoint, "a=1")]);
    let mut stream = Stream { session: Delta::new(Arc::clone(&same)), nonce: String::new() };
    stream.subscribe(Cluster, "");
    stream.subscribe(Endpoint, "a");
    assert!(stream.session.on_snapshot(same).is_empty());
}
