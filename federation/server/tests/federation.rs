//! The services, on three servers in one process over real TLS.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test may panic")]

#[path = "federation/backup.rs"]
mod backup;
#[path = "federation/harness.rs"]
mod harness;
#[path = "federation/limits.rs"]
mod limits;
#[path = "federation/members.rs"]
mod members;
#[path = "federation/streams.rs"]
mod streams;

use federation_api::content_hash::ContentHash;
use federation_api::federation as wire;
use federation_api::federation::admin_client::AdminClient;
use federation_api::federation::publish_request::Message as Ask;
use federation_api::federation::publish_response::Message as Answer;
use federation_kit::testing::eventually;
use federation_model::{Bundle, Export, FederationView, Incarnation, Revision};
use federation_trust::{Authority, JoinTokenText, PrivateKey, SharedIdentity, infra};
use harness::{Federation, LONG, export, hello, instance, join_request, joined, service};
use streams::{Publisher, Watcher};
use tonic::{Code, Status};

fn reason(status: &Status) -> &str {
    status.metadata().get("isthmus-reason").map_or("", |value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lets_one_key_join_once_and_every_refusal_has_its_reason() {
    let federation = Federation::start().await;
    let token = federation.token("east").await;
    let key = PrivateKey::generate().unwrap();
    let follower = federation.follower().await;
    let mut client = federation.anonymous(follower);

    let answer = client.join(join_request(&token, "east", &key)).await.unwrap().into_inner();
    assert_eq!((answer.clusterset.as_str(), answer.servers.len()), ("lab", 3));
    let identity = joined(&answer, &key);
    assert_eq!(identity.id().to_string(), "spiffe://lab/isthmus/agent/east");
    // The answer may have been lost: the same key is answered again, by any server.
    let again =
        federation.anonymous(federation.leader().await).join(join_request(&token, "east", &key)).await;
    assert!(again.is_ok());
    let renewed = renew(&federation, &identity).await;
    assert_eq!(renewed.unwrap().chain.len(), 2);

    let other = PrivateKey::generate().unwrap();
    let west = federation.token("west").await;
    let forged = JoinTokenText::generate("east".parse().unwrap(), federation.authority.fingerprint());
    let mut bad_csr = join_request(&west, "west", &other);
    bad_csr.csr.truncate(40);
    let mut bad_secret = join_request(&west, "west", &other);
    bad_secret.token_secret = "short".to_owned();
    let cases = [
        (join_request(&token, "east", &other), Code::PermissionDenied, "token_used"),
        (join_request(&west, "south", &other), Code::PermissionDenied, "token_for_another"),
        (join_request(&forged, "east", &other), Code::PermissionDenied, "unknown_token"),
        (join_request(&west, "West!", &other), Code::InvalidArgument, "bad_cluster"),
        (bad_csr, Code::InvalidArgument, "bad_csr"),
        (bad_secret, Code::InvalidArgument, "bad_token"),
    ];
    for (request, code, expected) in cases {
        let refused = client.join(request).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused)), (code, expected), "{refused}");
    }
    assert_eq!(federation.servers[follower].metrics.refused("token_used"), 1);
    federation.stop().await;
}

async fn renew(
    federation: &Federation,
    identity: &federation_trust::Identity,
) -> Result<wire::RenewResponse, Status> {
    let channel = federation.channel(0, Some(SharedIdentity::new(identity.clone())));
    let mut client = federation_api::federation::federation_client::FederationClient::new(channel);
    let csr = PrivateKey::generate().unwrap().csr().unwrap().0;
    client.renew(wire::RenewRequest { csr }).await.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_by_a_follower_is_watched_at_every_server_by_its_scope() {
    let federation = Federation::start().await;
    let follower = federation.follower().await;
    let mut east = Publisher::open(federation.agent(follower, "east")).await.unwrap();
    let mut watchers = Vec::new();
    for server in 0..3 {
        for cluster in ["east", "west", "south"] {
            let agent = federation.agent(server, cluster);
            watchers.push((cluster, Watcher::open(agent, FederationView::default()).await.unwrap()));
        }
    }
    east.commit(Ask::Hello(hello("east", '1'))).await;
    east.commit(Ask::Put(export("open", 1, &[]))).await;
    let revision = east.commit(Ask::Put(export("scoped", 1, &["west".parse().unwrap()]))).await;
    for (cluster, watcher) in &mut watchers {
        watcher.reach(revision).await;
        let expected: &[&str] = if *cluster == "south" { &["open"] } else { &["open", "scoped"] };
        assert_eq!(watcher.exports().keys().collect::<Vec<_>>(), expected, "{cluster}");
        // The address comes with the service, and only with it.
        assert_eq!(watcher.view.vips.len(), expected.len(), "{cluster}");
        let first = watcher.view.vips.values().next().unwrap().v4.to_string();
        assert!(first.starts_with("127.240."), "{first}");
        assert_eq!((watcher.snapshots, watcher.view.clusters.len()), (1, 1));
    }
    // Narrowed: gone for west, as if it had been withdrawn.
    let revision = east.commit(Ask::Put(export("scoped", 2, &["east".parse().unwrap()]))).await;
    for (cluster, watcher) in &mut watchers {
        watcher.reach(revision).await;
        assert_eq!(watcher.exports().contains_key("scoped"), *cluster == "east", "{cluster}");
    }
    let remove = wire::RemoveExport { service: Some(service("open")), generation: 1 };
    let revision = east.commit(Ask::Remove(remove)).await;
    for (cluster, watcher) in &mut watchers {
        watcher.reach(revision).await;
        assert!(!watcher.exports().contains_key("open"), "{cluster}");
    }
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_resumes_at_another_server_without_a_snapshot() {
    let federation = Federation::start().await;
    let mut east = Publisher::open(federation.agent(0, "east")).await.unwrap();
    east.commit(Ask::Hello(hello("east", '1'))).await;
    let revision = east.commit(Ask::Put(export("a", 1, &[]))).await;
    let mut first = Watcher::open(federation.agent(1, "west"), FederationView::default()).await.unwrap();
    first.reach(revision).await;
    let kept = first.view.clone();
    drop(first);

    let revision = east.commit(Ask::Put(export("b", 1, &[]))).await;
    let mut second = Watcher::open(federation.agent(2, "west"), kept.clone()).await.unwrap();
    second.reach(revision).await;
    assert_eq!(second.snapshots, 0);
    assert_eq!(second.exports().keys().collect::<Vec<_>>(), ["a", "b"]);
    assert!(second.named.iter().all(|key| !format!("{key:?}").contains("\"a\"")), "{:?}", second.named);

    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_is_not_taken_back_in_time() {
    let federation = Federation::start().await;
    let mut east = Publisher::open(federation.agent(0, "east")).await.unwrap();
    east.commit(Ask::Hello(hello("east", '1'))).await;
    let revision = east.commit(Ask::Put(export("a", 1, &[]))).await;
    let mut first = Watcher::open(federation.agent(1, "west"), FederationView::default()).await.unwrap();
    first.reach(revision).await;
    let kept = first.view.clone();
    assert!(kept.incarnation > Incarnation(0));

    let earlier = Incarnation(kept.incarnation.0 - 1);
    let later = Incarnation(kept.incarnation.0 + 1);
    // Further than this server is, in this life or in a later one: it waits, and then says so.
    for (incarnation, revision) in [(kept.incarnation, Revision(u64::MAX)), (later, Revision(1))] {
        let ahead = FederationView { incarnation, revision, ..kept.clone() };
        let mut watcher = Watcher::open(federation.agent(2, "west"), ahead).await.unwrap();
        let behind = watcher.step().await.unwrap_err();
        assert_eq!((behind.code(), reason(&behind)), (Code::Unavailable, "behind"));
    }
    // Of an earlier life: everything is sent anew, whatever its revision was.
    for revision in [Revision(1), Revision(u64::MAX)] {
        let foreign = FederationView { incarnation: earlier, revision, ..FederationView::default() };
        let mut watcher = Watcher::open(federation.agent(2, "west"), foreign).await.unwrap();
        watcher.step().await.unwrap();
        assert_eq!((watcher.snapshots, watcher.exports().len()), (1, 1));
        assert_eq!(watcher.view.incarnation, kept.incarnation);
    }
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_point_withdraws_what_the_stream_did_not_name() {
    let federation = Federation::start().await;
    let mut first = Publisher::open(federation.agent(0, "east")).await.unwrap();
    first.commit(Ask::Hello(hello("east", '1'))).await;
    for name in ["a", "b", "c"] {
        first.commit(Ask::Put(export(name, 1, &[]))).await;
    }
    drop(first);

    let mut second = Publisher::open(federation.agent(1, "east")).await.unwrap();
    second.commit(Ask::Hello(hello("east", '1'))).await;
    second.commit(Ask::Put(export("a", 1, &[]))).await;
    // Refused, but meant: what is there stays.
    let wrong = wire::Export { ports: vec![wire::ServicePort::default()], ..export("b", 2, &[]) };
    assert_eq!(second.refused(Ask::Put(wrong)).await, "invalid");
    let revision = second.commit(Ask::SyncPoint(wire::SyncPoint {})).await;
    let mut watcher = Watcher::open(federation.agent(2, "west"), FederationView::default()).await.unwrap();
    watcher.reach(revision).await;
    assert_eq!(watcher.exports().keys().collect::<Vec<_>>(), ["a", "b"]);
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_changes_nothing_commits_its_hello_and_nothing_else() {
    let federation = Federation::start().await;
    let bundle = wire::Bundle {
        trust_domain: "east.lab".to_owned(),
        authorities: vec![vec![1, 2, 3]],
        sequence: 1,
        refresh_hint_seconds: 1,
    };
    let mut first = Publisher::open(federation.agent(0, "east")).await.unwrap();
    first.commit(Ask::Hello(hello("east", '1'))).await;
    first.commit(Ask::Bundle(bundle.clone())).await;
    let mut last = 0;
    for name in ["a", "b", "c"] {
        last = first.commit(Ask::Put(export(name, 5, &[]))).await;
    }
    drop(first);

    let hash_of = |export: wire::Export| {
        let export = Export::try_from(wire::Export { cluster: "east".to_owned(), ..export }).unwrap();
        ContentHash::of_export(&export).to_vec()
    };
    let offered =
        |name: &str, hash: Vec<u8>| wire::OfferedExport { service: Some(service(name)), content_hash: hash };
    let offer = |exports: Vec<wire::OfferedExport>| {
        let bundle = Bundle::try_from(bundle.clone()).unwrap();
        Ask::Offer(wire::Offer { exports, bundle_hash: ContentHash::of_bundle(&bundle).to_vec() })
    };
    let known = |generation, same| wire::Known { generation, same };
    // Through another server, which has to catch up first.
    let mut second = Publisher::open(federation.agent(1, "east")).await.unwrap();
    let opened = second.ask(Ask::Hello(hello("east", '1'))).await.unwrap();
    let Answer::Committed(opened) = opened else { panic!("{opened:?}") };
    assert_eq!(opened.features, [i32::from(wire::Feature::Offer)]);
    let all = ["a", "b", "c"].map(|name| offered(name, hash_of(export(name, 9, &[]))));
    let compared = second.ask(offer(all.to_vec())).await.unwrap();
    let Answer::Compared(compared) = compared else { panic!("{compared:?}") };
    assert_eq!(compared.exports, vec![known(Some(5), true); 3]);
    assert!(compared.bundle_same && compared.revision >= opened.revision);
    let synced = second.commit(Ask::SyncPoint(wire::SyncPoint {})).await;
    assert!(opened.revision > last);
    assert_eq!(synced, opened.revision, "nothing was committed for this stream after its hello");

    // What differs is wanted, what is not offered is withdrawn, and nonsense is nothing that is there.
    let narrowed = hash_of(export("b", 5, &["west".parse().unwrap()]));
    let nonsense = wire::OfferedExport { service: None, content_hash: vec![0; 1_000] };
    let some = vec![offered("b", narrowed), nonsense, offered("new", Vec::new())];
    let mut third = Publisher::open(federation.agent(2, "east")).await.unwrap();
    third.commit(Ask::Hello(hello("east", '1'))).await;
    let compared = third.ask(offer(some)).await.unwrap();
    let Answer::Compared(compared) = compared else { panic!("{compared:?}") };
    assert_eq!(compared.exports, [known(Some(5), false), known(None, false), known(None, false)]);
    let revision = third.commit(Ask::SyncPoint(wire::SyncPoint {})).await;
    let node = &federation.servers[0].node;
    assert!(node.wait_applied(Revision(revision), LONG).await);
    let left = node.read(|state, _| state.exports().map(|e| e.service.to_string()).collect::<Vec<_>>());
    assert_eq!(left, ["demo/b"]);
    let many = vec![offered("a", Vec::new()); 257];
    assert_eq!(reason(&third.ask(offer(many)).await.unwrap_err()), "too_many");
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_writes_only_what_is_its_own() {
    let federation = Federation::start().await;
    let mut west = Publisher::open(federation.agent(0, "west")).await.unwrap();
    west.commit(Ask::Hello(hello("west", '2'))).await;
    let mut east = Publisher::open(federation.agent(0, "east")).await.unwrap();
    for domain in ["west.lab", "lab", "x.west.lab"] {
        let claim = wire::Registration { trust_domain: domain.to_owned(), ..hello("east", '1') };
        assert_eq!(east.refused(Ask::Hello(claim)).await, "not_owner", "{domain}");
    }
    east.commit(Ask::Hello(hello("east", '1'))).await;
    let foreign = wire::Export { cluster: "west".to_owned(), ..export("a", 1, &[]) };
    assert_eq!(east.refused(Ask::Put(foreign)).await, "foreign_cluster");
    let bundle = |domain: &str| wire::Bundle {
        trust_domain: domain.to_owned(),
        authorities: vec![vec![1, 2, 3]],
        sequence: 1,
        refresh_hint_seconds: 1,
    };
    assert_eq!(east.refused(Ask::Bundle(bundle("west.lab"))).await, "not_owner");
    east.commit(Ask::Bundle(bundle("east.lab"))).await;
    assert_eq!(
        east.refused(Ask::Bundle(wire::Bundle { sequence: 0, ..bundle("east.lab") })).await,
        "stale_bundle"
    );
    east.commit(Ask::Put(export("a", 5, &[]))).await;
    assert_eq!(east.refused(Ask::Put(export("a", 4, &[]))).await, "stale_generation");
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_agent_of_a_cluster_is_refused_while_the_first_lives() {
    let federation = Federation::start().await;
    let mut first = Publisher::open(federation.agent(0, "east")).await.unwrap();
    first.commit(Ask::Hello(hello("east", '1'))).await;

    let mut second = Publisher::open(federation.agent(1, "east")).await.unwrap();
    let refused = second.ask(Ask::Hello(hello("east", '2'))).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (Code::FailedPrecondition, "held_by_another"));
    assert!(refused.message().contains("held by another agent"), "{refused}");
    let (asks, requests) = tokio::sync::mpsc::channel(4);
    let report = |digit| wire::ReportRequest { instance: instance(digit), ..wire::ReportRequest::default() };
    asks.send(report('1')).await.unwrap();
    let stream = tokio_stream::wrappers::ReceiverStream::new(requests);
    let mut leases = federation.agent(2, "east").report(stream).await.unwrap().into_inner();
    let until = leases.message().await.unwrap().unwrap().lease_until_unix_millis;
    asks.send(report('1')).await.unwrap();
    assert!(leases.message().await.unwrap().unwrap().lease_until_unix_millis >= until);
    asks.send(report('2')).await.unwrap();
    assert_eq!(reason(&leases.message().await.unwrap_err()), "held_by_another");

    // Nobody renews any more: the lease runs out and the other may take over.
    let taken = async || {
        let mut third = Publisher::open(federation.agent(1, "east")).await.ok()?;
        third.ask(Ask::Hello(hello("east", '2'))).await.ok()
    };
    eventually(LONG, taken).await.unwrap();
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_stream_of_a_cluster_is_cut_off_by_a_newer_one() {
    let federation = Federation::start().await;
    let mut older = Publisher::open(federation.agent(0, "east")).await.unwrap();
    older.commit(Ask::Hello(hello("east", '1'))).await;
    older.commit(Ask::Put(export("a", 1, &[]))).await;
    // Of the same agent, through another server, which may not have heard of the first yet.
    let mut newer = Publisher::open(federation.agent(1, "east")).await.unwrap();
    newer.commit(Ask::Hello(hello("east", '1'))).await;
    let refused = older.ask(Ask::Put(export("a", 9, &[]))).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (Code::FailedPrecondition, "fenced"));
    // The hello may be said again, and what it changes counts.
    newer.commit(Ask::Hello(wire::Registration { region: "eu".to_owned(), ..hello("east", '1') })).await;
    let revision = newer.commit(Ask::Put(export("a", 2, &[]))).await;
    let node = &federation.servers[2].node;
    assert!(node.wait_applied(Revision(revision), LONG).await);
    let (east, a) = ("east".parse().unwrap(), "demo/a".parse().unwrap());
    let seen = node.read(|state, _| {
        let generation = state.export(&a, &east).unwrap().generation;
        (generation.0, state.cluster(&east).unwrap().region.clone())
    });
    assert_eq!(seen, (2, Some("eu".parse().unwrap())));
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_what_their_certificates_say() {
    let federation = Federation::start().await;
    let agent = infra::agent_id(&federation.clusterset, &"east".parse().unwrap());
    let mut as_admin = AdminClient::new(federation.channel(0, Some(federation.identity(&agent))));
    let refused = as_admin.status(wire::StatusRequest {}).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (Code::PermissionDenied, "not_an_admin"));
    let mut nobody = AdminClient::new(federation.channel(0, None));
    let refused = nobody.members(wire::MembersRequest {}).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (Code::Unauthenticated, "no_certificate"));

    let admin = infra::admin_id(&federation.clusterset, "ana").unwrap();
    let operator = federation.identity(&admin);
    let mut as_agent = federation_api::federation::federation_client::FederationClient::new(
        federation.channel(0, Some(operator)),
    );
    let refused = as_agent.watch(wire::WatchRequest::default()).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (Code::PermissionDenied, "not_an_agent"));
    let refused = Publisher::open(federation.anonymous(0)).await.err().unwrap();
    assert_eq!((refused.code(), reason(&refused)), (Code::Unauthenticated, "no_certificate"));
    assert_eq!(federation.servers[0].metrics.refused("not_an_admin"), 1);

    // A foreign authority that uses our names does not get through the handshake.
    let foreign = Authority::create(&federation.clusterset, harness::lifetime()).unwrap();
    let key = PrivateKey::generate().unwrap();
    let csr = federation_trust::csr::verified_key(&key.csr().unwrap().0).unwrap();
    let chain = foreign.issue(&csr, &agent, harness::lifetime()).unwrap();
    let forged = SharedIdentity::new(federation_trust::Identity::new(chain, &key).unwrap());
    let refused = AdminClient::new(federation.channel(0, Some(forged))).status(wire::StatusRequest {}).await;
    // In TLS 1.3 the dialler is done before it is refused, and hears of it in its first call.
    let refused = refused.unwrap_err();
    assert!([Code::Unavailable, Code::Cancelled, Code::Unknown].contains(&refused.code()), "{refused}");
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oversize_and_senseless_messages_are_refused_and_disturb_nobody() {
    let federation = Federation::start().await;
    let mut good = Publisher::open(federation.agent(0, "west")).await.unwrap();
    good.commit(Ask::Hello(hello("west", '2'))).await;

    let mut big = Publisher::open(federation.agent(0, "east")).await.unwrap();
    big.commit(Ask::Hello(hello("east", '1'))).await;
    let huge = wire::Export {
        annotations: [("note".to_owned(), "x".repeat(federation_api::MAX_MESSAGE_BYTES))].into(),
        ..export("a", 1, &[])
    };
    let refused = big.ask(Ask::Put(huge)).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
    assert_eq!(federation.servers[0].metrics.refused("message_too_large"), 1);

    let mut mute = Publisher::open(federation.agent(0, "east")).await.unwrap();
    let refused = mute.ask(Ask::Put(export("a", 1, &[]))).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (Code::FailedPrecondition, "no_hello"));
    good.commit(Ask::Put(export("b", 1, &[]))).await;

    let mut open = Vec::new();
    let refused = loop {
        match Watcher::open(federation.agent(0, "east"), FederationView::default()).await {
            Ok(watcher) => open.push(watcher),
            Err(refused) => break refused,
        }
    };
    assert_eq!((refused.code(), reason(&refused)), (Code::ResourceExhausted, "too_many_streams"));
    assert!(Watcher::open(federation.agent(0, "west"), FederationView::default()).await.is_ok());
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_the_federation() {
    let federation = Federation::start().await;
    let follower = federation.follower().await;
    let mut east = Publisher::open(federation.agent(follower, "east")).await.unwrap();
    east.commit(Ask::Hello(hello("east", '1'))).await;
    let revision = east.commit(Ask::Put(export("a", 1, &["east".parse().unwrap()]))).await;
    let mut admin = federation.admin(follower);
    let node = &federation.servers[follower].node;
    assert!(node.wait_applied(Revision(revision), LONG).await);

    let status = admin.status(wire::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.clusters, status.clusters_alive, status.exports), (1, 1, 1));
    assert!(status.leader_id.is_some() && status.revision >= revision);
    assert!(status.disk_bytes > 0 && status.leader_unix_millis > 0, "{status:?}");
    let members = admin.members(wire::MembersRequest {}).await.unwrap().into_inner().members;
    assert_eq!(members.len(), 3);
    let catalog = async |as_cluster: &str| {
        let request = wire::CatalogRequest { as_cluster: as_cluster.to_owned() };
        federation.admin(follower).catalog(request).await.unwrap().into_inner().items.len()
    };
    assert_eq!((catalog("").await, catalog("east").await, catalog("west").await), (3, 3, 1));
    let too_long = wire::CreateTokenRequest { cluster: "east".to_owned(), ttl_seconds: 8 * 24 * 3_600 };
    assert_eq!(reason(&admin.create_token(too_long).await.unwrap_err()), "bad_ttl");
    let status = admin.status(wire::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.refused.get("bad_ttl"), Some(&1));

    let page = async |path: &str| {
        let url = format!("http://{}{path}", federation.servers[follower].http);
        let answer = reqwest::get(url).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(page("/livez").await.0, 200);
    assert_eq!(page("/readyz").await.0, 200);
    let mut watcher =
        Watcher::open(federation.agent(follower, "east"), FederationView::default()).await.unwrap();
    watcher.reach(revision).await;
    let (_, metrics) = page("/metrics").await;
    for name in [
        "isthmus_raft_term ",
        "isthmus_raft_disk_bytes ",
        "isthmus_exports 1",
        "isthmus_publishers 1",
        "isthmus_raft_apply_seconds_count ",
        "isthmus_raft_snapshot_timestamp_seconds ",
        "isthmus_leases_ending 0",
        "isthmus_watch_sent_bytes_total ",
        "isthmus_watch_queue{cluster=\"east\"} 0",
        "isthmus_watch_lag_seconds{cluster=\"east\"} 0",
    ] {
        assert!(metrics.contains(name), "{name} is missing:\n{metrics}");
    }
    let (_, status) = page("/status").await;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["clusters"][0]["id"], "east");
    federation.stop().await;
}
