//! An agent's client against servers that fall silent, lag, refuse and die.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed helper is a failed test")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use federation_client::last_known_good::Store;
use federation_client::{AgentClient, AgentConfig, AgentHandle, Desired, ItemState, Servers};
use federation_kit::drain::{self, DrainTrigger};
use federation_kit::testing::eventually;
use federation_model::command::Registration;
use federation_model::export::SessionAffinity;
use federation_model::{
    Bundle, Export, ExportKind, ExportScope, FederationView, Generation, Item, MtlsMode, Revision, ServiceId,
    UnixMillis,
};
use federation_trust::SharedIdentity;
use support::{Federation, LONG, clusterset, servers, timing};
use tokio::sync::watch;
use tokio::task::JoinHandle;

fn service(name: &str) -> ServiceId {
    format!("demo/{name}").parse().unwrap()
}

fn desired(exports: &[&str]) -> Arc<Desired> {
    let export = |name: &&str| Export {
        cluster: "east".parse().unwrap(),
        service: service(name),
        first_seen: UnixMillis(0),
        generation: Generation(0),
        kind: ExportKind::ClusterSetIp,
        ports: vec![],
        session_affinity: SessionAffinity::None,
        internal_traffic_policy: Default::default(),
        traffic_distribution: None,
        ip_families: Default::default(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        scope: ExportScope::All,
        mtls: MtlsMode::Gateway,
        localities: vec![],
        endpoints: vec![],
    };
    Arc::new(Desired {
        registration: Registration {
            cluster: "east".parse().unwrap(),
            instance: "0".repeat(32).parse().unwrap(),
            network: "lab".parse().unwrap(),
            region: None,
            zone: None,
            trust_domain: "east.lab".parse().unwrap(),
            gateways: vec![],
        },
        bundle: None,
        exports: exports.iter().map(|name| (service(name), Arc::new(export(name)))).collect(),
    })
}

/// A running client with everything that moves it.
struct Agent {
    handle: AgentHandle,
    desired: watch::Sender<Arc<Desired>>,
    applied: watch::Sender<Revision>,
    drain: DrainTrigger,
    task: JoinHandle<()>,
}

impl Agent {
    fn start(federation: &Federation, servers: Servers, exports: &[&str]) -> Self {
        Self::start_with(federation, servers, exports, federation.agent("east", 600), None)
    }

    fn start_with(
        federation: &Federation,
        servers: Servers,
        exports: &[&str],
        identity: SharedIdentity,
        store: Option<Store>,
    ) -> Self {
        let (desired, desired_seen) = watch::channel(desired(exports));
        let (applied, applied_seen) = watch::channel(Revision(0));
        let view = store.as_ref().and_then(|store| store.load().unwrap()).unwrap_or_default();
        let config = AgentConfig {
            servers,
            identity,
            bundles: federation.bundles(),
            clusterset: clusterset(),
            store,
            view,
            version: "test".to_owned(),
            timing: timing(),
        };
        let (client, handle) = AgentClient::new(config, desired_seen, applied_seen).unwrap();
        let (drain, watcher) = drain::channel();
        let task = tokio::spawn(async move { client.run(watcher).await.unwrap() });
        Self { handle, desired, applied, drain, task }
    }

    async fn committed(&mut self, name: &str) {
        let committed = |state: Option<&ItemState>| matches!(state, Some(ItemState::Committed { .. }));
        let mut publish = self.handle.publish.clone();
        let wait = publish.wait_for(|status| committed(status.exports.get(&service(name))));
        tokio::time::timeout(LONG, wait).await.unwrap().unwrap();
    }

    async fn view(&self, what: impl FnMut(&Arc<FederationView>) -> bool) -> Arc<FederationView> {
        let mut view = self.handle.view.clone();
        let seen = tokio::time::timeout(LONG, view.wait_for(what)).await.unwrap().unwrap();
        Arc::clone(&seen)
    }

    async fn stop(self) {
        self.drain.drain(LONG).await;
        self.task.await.unwrap();
    }
}

fn has(name: &str) -> impl Fn(&Arc<FederationView>) -> bool + use<> {
    let service = service(name);
    move |view| view.exports.contains_key(&service)
}

fn bundle(domain: &str) -> Item {
    let trust_domain = domain.parse().unwrap();
    Item::Bundle(Bundle { trust_domain, authorities: vec![], sequence: 1, refresh_hint: 1 })
}

#[tokio::test]
async fn what_is_desired_is_published_and_comes_back_by_the_watch() {
    let federation = Federation::new();
    let server = federation.start(1).await;
    let mut agent = Agent::start(&federation, servers(&[&server]), &["a", "b"]);
    agent.committed("a").await;
    agent.committed("b").await;
    agent.view(|view| has("a")(view) && has("b")(view)).await;

    agent.desired.send_replace(desired(&["b", "c"]));
    agent.committed("c").await;
    agent.view(|view| has("c")(view) && !has("a")(view)).await;
    let said = federation.heard(|heard| heard.published.clone());
    let expected = ["hello", "put demo/a", "put demo/b", "sync", "remove demo/a", "put demo/c"];
    assert_eq!(said, expected.map(|word| format!("1 {word}")));
    agent.stop().await;
}

#[tokio::test]
async fn the_death_of_a_server_is_survived_without_a_new_snapshot() {
    let federation = Federation::new();
    let (one, two) = (federation.start(1).await, federation.start(2).await);
    let mut agent = Agent::start(&federation, servers(&[&one, &two]), &["a"]);
    agent.committed("a").await;
    agent.view(has("a")).await;

    let (first, _) = *federation.heard(|heard| heard.watched.first().copied()).as_ref().unwrap();
    let survivor = if first == 1 { 2 } else { 1 };
    drop(if first == 1 { one } else { two });
    federation.catalogue.send_modify(|catalogue| {
        catalogue.put(bundle("west.lab"));
    });
    agent.view(|view| !view.bundles.is_empty() && has("a")(view)).await;
    let resumed = federation.heard(|heard| heard.watched.last().copied()).unwrap();
    assert_eq!(resumed.0, survivor);
    assert!(resumed.1 > 0, "a new stream continues where the old one ended");

    // Publishing goes on too, wherever it went before.
    agent.desired.send_replace(desired(&["a", "b"]));
    agent.committed("b").await;
    agent.stop().await;
}

#[tokio::test]
async fn a_stream_to_a_server_that_compares_puts_only_what_differs() {
    let federation = Federation::new();
    federation.rule(|rules| rules.compares = true);
    let (one, two) = (federation.start(1).await, federation.start(2).await);
    let mut agent = Agent::start(&federation, servers(&[&one, &two]), &["a", "b"]);
    agent.committed("a").await;
    agent.committed("b").await;
    let synced = |heard: &support::Heard| heard.published.iter().any(|said| said.ends_with(" sync"));
    eventually(LONG, async || federation.heard(synced)).await.unwrap();
    let talked_to = agent.handle.publish.borrow().server.clone().unwrap();
    let said = federation.heard(|heard| heard.published.clone());
    let words = |said: &[String]| said.iter().map(|word| word[2..].to_owned()).collect::<Vec<_>>();
    assert_eq!(words(&said), ["hello", "offer", "put demo/a", "put demo/b", "sync"]);

    // The other server is told of nothing but what is new.
    agent.desired.send_modify(|present| {
        let new = desired(&["c"]);
        let exports = present.exports.iter().chain(&new.exports).map(|(id, e)| (id.clone(), Arc::clone(e)));
        *present = Arc::new(Desired { exports: exports.collect(), ..(*new).clone() });
    });
    agent.committed("c").await;
    let before = federation.heard(|heard| heard.published.len());
    drop(if talked_to == one.address { one } else { two });
    let again = |heard: &support::Heard| heard.published[before..].iter().any(|said| said.ends_with(" sync"));
    eventually(LONG, async || federation.heard(again)).await.unwrap();
    let said = federation.heard(|heard| heard.published[before..].to_vec());
    assert_eq!(words(&said), ["hello", "offer", "sync"]);
    agent.stop().await;
}

#[tokio::test]
async fn silent_and_stalled_servers_are_left_for_others() {
    for stalled in [false, true] {
        let federation = Federation::new();
        let (one, two) = (federation.start(1).await, federation.start(2).await);
        let bad = |servers: Vec<u64>| {
            federation
                .rule(|rules| *(if stalled { &mut rules.stalled } else { &mut rules.silent }) = servers);
        };
        bad(vec![1, 2]);
        let mut agent = Agent::start(&federation, servers(&[&one, &two]), &["a"]);
        // Wherever it went first stays bad; the other is well from now on.
        let first = eventually(LONG, async || federation.heard(|heard| heard.watched.first().copied())).await;
        let (first, _) = first.unwrap();
        bad(vec![first]);
        let healthy = if first == 1 { two.address.clone() } else { one.address.clone() };
        let mut upstream = agent.handle.upstream.clone();
        let wait = upstream.wait_for(|upstream| upstream.server.as_ref() == Some(&healthy));
        drop(tokio::time::timeout(LONG, wait).await.unwrap().unwrap());
        agent.committed("a").await;
        agent.view(has("a")).await;
        agent.stop().await;
    }
}

#[tokio::test]
async fn a_refused_item_is_shown_and_tried_until_it_is_accepted() {
    let federation = Federation::new();
    federation.rule(|rules| {
        rules.refuse.insert("demo/a".to_owned(), "too_many".to_owned());
    });
    let server = federation.start(1).await;
    let mut agent = Agent::start(&federation, servers(&[&server]), &["a", "b"]);
    agent.committed("b").await;
    let refused = |state: Option<&ItemState>| matches!(state, Some(ItemState::Refused { .. }));
    let mut publish = agent.handle.publish.clone();
    let wait = publish.wait_for(|status| refused(status.exports.get(&service("a"))));
    drop(tokio::time::timeout(LONG, wait).await.unwrap().unwrap());
    federation.rule(|rules| rules.refuse.clear());
    agent.committed("a").await;
    agent.stop().await;
}

#[tokio::test]
async fn a_second_agent_is_told_why_and_waits_its_turn() {
    let federation = Federation::new();
    federation.rule(|rules| {
        rules.refuse.insert("hello".to_owned(), "held_by_another".to_owned());
    });
    let server = federation.start(1).await;
    let mut agent = Agent::start(&federation, servers(&[&server]), &["a"]);
    let held =
        |state: &ItemState| matches!(state, ItemState::Refused { reason, .. } if reason == "held_by_another");
    let mut publish = agent.handle.publish.clone();
    let wait = publish.wait_for(|status| held(&status.registration) && status.problem.is_some());
    drop(tokio::time::timeout(LONG, wait).await.unwrap().unwrap());
    federation.rule(|rules| rules.refuse.clear());
    agent.committed("a").await;
    agent.stop().await;
}

#[tokio::test]
async fn the_last_known_good_survives_a_restart_without_servers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("view");
    let store = || Store::new(&path, clusterset(), "east".parse().unwrap());
    let federation = Federation::new();
    let server = federation.start(1).await;
    let list = servers(&[&server]);
    let identity = federation.agent("east", 600);
    let mut agent = Agent::start_with(&federation, list.clone(), &["a"], identity.clone(), Some(store()));
    agent.committed("a").await;
    let seen = agent.view(has("a")).await;
    agent.stop().await;
    drop(server);

    let saved = store().load().unwrap().unwrap();
    assert_eq!(saved.exports, seen.exports);
    let agent = Agent::start_with(&federation, list, &["a"], identity, Some(store()));
    assert!(has("a")(&agent.handle.view.borrow()), "before any server is heard");
    let mut upstream = agent.handle.upstream.clone();
    let wait = upstream.wait_for(|upstream| upstream.problem.is_some());
    assert!(!tokio::time::timeout(LONG, wait).await.unwrap().unwrap().is_connected());
    assert!(has("a")(&agent.handle.view.borrow()));
    agent.stop().await;
}

#[tokio::test]
async fn reports_tell_what_was_applied_and_hear_of_the_lease() {
    let federation = Federation::new();
    let server = federation.start(1).await;
    let agent = Agent::start(&federation, servers(&[&server]), &["a"]);
    let view = agent.view(has("a")).await;
    agent.applied.send_replace(view.revision);
    eventually(LONG, async || {
        federation.heard(|heard| heard.reported.iter().any(|(_, applied)| *applied >= view.revision.0))
    })
    .await
    .unwrap();
    let mut lease = agent.handle.lease.clone();
    let wait = lease.wait_for(|lease| lease.until == Some(UnixMillis(12_345)));
    drop(tokio::time::timeout(LONG, wait).await.unwrap().unwrap());
    agent.stop().await;
}

#[tokio::test]
async fn an_identity_past_half_of_its_life_is_renewed_with_a_fresh_key() {
    let federation = Federation::new();
    let server = federation.start(1).await;
    // Dated back by a minute and valid for half a minute more: past its half from the start.
    let identity = federation.agent("east", 30);
    let before = identity.get().unwrap();
    let agent = Agent::start_with(&federation, servers(&[&server]), &[], identity.clone(), None);
    let mut renewed = agent.handle.renewed.clone();
    let wait = renewed.wait_for(Option::is_some);
    drop(tokio::time::timeout(LONG, wait).await.unwrap().unwrap());
    let after = identity.get().unwrap();
    assert_eq!(after.id(), before.id());
    assert_ne!(after.key().public_hash(), before.key().public_hash());
    assert!(after.not_after() > before.not_after());
    assert_eq!(
        federation.heard(|heard| heard.renewed.first().map(|(_, id)| id.clone())).as_ref(),
        Some(before.id())
    );
    agent.stop().await;
}
