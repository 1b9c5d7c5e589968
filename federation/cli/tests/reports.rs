//! Golden tests of what each verb prints, for people and for programs, on a sample catalogue.

#![allow(clippy::unwrap_used, reason = "a failed conversion is a failed test")]

mod sample;

use federation_api::federation::{ExpiredCluster, Member, MemberRole, StatusResponse};
use federation_cli::failure::Kind;
use federation_cli::output::Report;
use federation_cli::verbs::audit::{Audit, Line};
use federation_cli::verbs::clusters;
use federation_cli::verbs::explain::{self, Outcome};
use federation_cli::verbs::members::Members;
use federation_cli::verbs::problems::Problem;
use federation_cli::verbs::services;
use federation_cli::verbs::status::{Answer, ServerLine, Status};
use federation_cli::verbs::token::CreatedToken;
use federation_cli::verbs::version::Version;
use sample::{catalogue, seen_by, service};

/// Both forms of a report: the text, and the document with its fields in order.
fn both(report: &impl Report) -> String {
    format!("{}\n{}\n", report.to_text(), serde_json::to_string_pretty(report).unwrap())
}

fn answer(server_id: u64, leader_id: Option<u64>) -> StatusResponse {
    StatusResponse {
        clusterset: "lab".to_owned(),
        server_id,
        leader_id,
        term: 4,
        revision: 12_120,
        last_log_index: 12_123,
        version: "0.1.0".to_owned(),
        clusters: 3,
        clusters_alive: 3,
        exports: 5,
        watchers: 3,
        disk_bytes: 5_400_000,
        snapshot_index: 10_000,
        uptime_seconds: 7_300,
        leader_unix_millis: 1_800_000_000_000,
        refused: [("no_certificate".to_owned(), 2), ("fenced".to_owned(), 1)].into(),
        ..StatusResponse::default()
    }
}

fn server(id: u64, role: &'static str, answer: Answer) -> ServerLine {
    ServerLine { id, role, api: format!("192.0.2.{id}:7400"), answer }
}

fn up(id: u64) -> Answer {
    Answer::Up(answer(id, Some(2)).into())
}

#[test]
fn status_of_a_federation_that_is_well() {
    let servers =
        vec![server(1, "follower", up(1)), server(2, "leader", up(2)), server(3, "follower", up(3))];
    let status = Status::of(answer(2, Some(2)), servers);
    assert_eq!(status.problems, []);
    insta::assert_snapshot!("status", both(&status));
}

#[test]
fn status_says_first_what_is_wrong() {
    let mut behind = answer(1, Some(2));
    (behind.revision, behind.version) = (120, "0.0.9".to_owned());
    let mut first = answer(2, Some(2));
    first.expired =
        vec![ExpiredCluster { id: "west".to_owned(), since_unix_millis: 1_799_999_000_000, exports: 7 }];
    let servers = vec![
        server(1, "follower", Answer::Up(behind.into())),
        server(2, "leader", up(2)),
        server(3, "follower", Answer::Silent("no answer within 5s".to_owned())),
    ];
    insta::assert_snapshot!("status_with_problems", both(&Status::of(first, servers)));
}

#[test]
fn no_leader_or_no_majority_is_the_worst() {
    let servers = |answers: [Answer; 3]| -> Vec<ServerLine> {
        let numbered = answers.into_iter().zip(1..);
        numbered.map(|(answer, id)| server(id, "follower", answer)).collect()
    };
    let silent = || Answer::Silent("refused".to_owned());
    let none = Status::of(answer(1, None), servers([up(1), silent(), silent()]));
    assert_eq!(none.problems.first(), Some(&Problem::NoLeader { voters: 3, silent: 2 }));
    let mut cut = answer(1, Some(1));
    cut.quorum_millis = Some(9_000);
    let cut = Status::of(cut, servers([up(1), up(2), up(3)]));
    assert_eq!(cut.problems, [Problem::NoQuorum { millis: 9_000 }]);
    // A lone server is not told that it is alone.
    let lone = Status::of(answer(2, Some(2)), vec![server(2, "leader", up(2))]);
    assert_eq!(lone.problems, []);
}

#[test]
fn clusters_show_leases_and_gateways() {
    insta::assert_snapshot!("clusters", both(&clusters::report(&catalogue())));
}

#[test]
fn services_show_who_exports_what_to_whom() {
    insta::assert_snapshot!("services", both(&services::report(&catalogue())));
}

#[test]
fn explain_gives_the_order_and_its_reasons() {
    let report =
        explain::report(&catalogue(), &seen_by("east"), &service("demo/whoami"), &"east".parse().unwrap());
    assert!(report.verdict().is_ok());
    insta::assert_snapshot!("explain", both(&report));
}

#[test]
fn explain_says_why_a_cluster_cannot_see_a_service() {
    let cases = [
        ("demo/reports", Outcome::OutOfScope, Kind::Refused),
        ("demo/nosuch", Outcome::NotExported, Kind::NotFound),
        ("demo/asleep", Outcome::NothingReady, Kind::Refused),
    ];
    let mut all = String::new();
    for (name, outcome, kind) in cases {
        let report =
            explain::report(&catalogue(), &seen_by("east"), &service(name), &"east".parse().unwrap());
        assert_eq!(report.outcome, outcome, "{name}");
        let failure = report.verdict().unwrap_err();
        assert_eq!(failure.kind(), kind, "{name}");
        all.push_str(&format!("{}{failure}\n", report.to_text()));
    }
    insta::assert_snapshot!("explain_absence", all);
}

#[test]
fn members_come_by_id() {
    let member = |id, role: MemberRole, matched_index| Member {
        id,
        api_address: format!("192.0.2.{id}:7400"),
        raft_address: format!("192.0.2.{id}:7401"),
        role: role.into(),
        matched_index,
    };
    let members = Members::from(vec![
        member(3, MemberRole::Follower, Some(119)),
        member(1, MemberRole::Leader, Some(120)),
        member(2, MemberRole::Follower, None),
    ]);
    insta::assert_snapshot!("members", both(&members));
}

#[test]
fn the_audit_says_who_did_what_to_what() {
    let line = |number, actor: &str, action: &str, subject: &str| Line {
        number,
        revision: 100 + number,
        at_unix_millis: 1_800_000_000_000,
        actor: actor.to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
    };
    let audit = Audit {
        changes: vec![
            line(7, "operator ana", "token_created", "north"),
            line(12, "agent of north", "cluster_registered", ""),
        ],
    };
    insta::assert_snapshot!("audit", both(&audit));
}

#[test]
fn a_token_is_alone_on_standard_output() {
    let token = CreatedToken {
        cluster: "north".to_owned(),
        token: "isthmus1.north.secret.hash".to_owned(),
        expires_unix_millis: 1_800_000_000_000,
        ttl_seconds: 3_600,
    };
    assert_eq!(token.to_text(), "isthmus1.north.secret.hash\n");
    insta::assert_snapshot!("token_note", token.note());
}

#[test]
fn the_version_is_known_without_a_server() {
    let version =
        Version { client: "0.1.0", server: None, server_unknown: Some("no server answered".to_owned()) };
    insta::assert_snapshot!("version", both(&version));
}

#[test]
fn nothing_yet_is_said_with_the_next_step() {
    let empty = federation_cli::catalogue::Catalogue::default();
    let text = format!("{}{}", clusters::report(&empty).to_text(), services::report(&empty).to_text());
    insta::assert_snapshot!("empty", text);
}

#[test]
fn a_token_is_handed_on_as_a_secret() {
    let created = CreatedToken {
        cluster: "east".to_owned(),
        token: "isthmus1.east.c2VjcmV0.0123456789abcdef".to_owned(),
        expires_unix_millis: 1,
        ttl_seconds: 3600,
    };
    let yaml = created.secret("isthmus-system", "isthmus-join");
    insta::assert_snapshot!("token_secret", yaml);
    let object = created.secret_object("isthmus-system", "isthmus-join");
    let read: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(read, serde_json::to_value(object).unwrap(), "both forms say the same");
}
