//! What the API server may answer, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use federation_kit::testing::eventually;
use serde_json::json;

use super::rig::{LONG, Rig};
use super::world;
use crate::apply::Why;
use crate::apply::fake::{Call, Wrong, key};

fn says(status: u16, message: &str) -> Wrong {
    Wrong::Says(status, json!({"message": message}).to_string(), None)
}

fn writes_of(rig: &Rig, path: &str) -> Vec<Call> {
    let calls = rig.fake.calls_of(path);
    calls.into_iter().filter(|call| call.method == http::Method::PATCH && call.path.ends_with(path)).collect()
}

#[tokio::test(start_paused = true)]
async fn what_the_api_server_refuses_is_told_and_not_tried_again_until_it_is_another() {
    let rig = Rig::new(0);
    rig.fake.fail("serviceimports/s0", 1, says(422, "spec.ports[0]: Forbidden"));
    rig.input.send_replace(Arc::new(world::input(2, 80)));
    rig.until(|status| !status.failing.is_empty() && status.in_flight == 0 && status.pending == 1).await;
    let failing = rig.status().failing.clone();
    assert_eq!((failing[0].why, failing[0].object.as_str()), (Why::Refused, "ServiceImport demo/s0"));
    assert_eq!(failing[0].message, "spec.ports[0]: Forbidden");
    tokio::time::sleep(LONG).await;
    assert_eq!(writes_of(&rig, "serviceimports/s0").len(), 1);
    assert!(!rig.fake.calls_of("serviceimports/s1").is_empty(), "the rest works");
    rig.input.send_replace(Arc::new(world::input(2, 81)));
    rig.settled().await;
    assert!(rig.status().ok());
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_left_alone_for_as_long_as_it_says() {
    let rig = Rig::new(0);
    rig.fake.fail("serviceimports/s0", 1, Wrong::Says(429, "{}".into(), Some(7)));
    rig.input.send_replace(Arc::new(world::input(1, 80)));
    rig.settled().await;
    let writes = writes_of(&rig, "serviceimports/s0");
    let pause = writes[1].at - writes[0].at;
    assert!(pause >= Duration::from_secs(7) && pause < Duration::from_secs(8), "{pause:?}");
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_ever_more_slowly_each_object_by_itself() {
    let rig = Rig::new(0);
    rig.fake.fail("serviceimports/s0", 8, says(500, "etcd is gone"));
    rig.input.send_replace(Arc::new(world::input(2, 80)));
    rig.until(|status| status.failing.iter().any(|failing| failing.why == Why::Failed)).await;
    rig.settled().await;
    let writes = writes_of(&rig, "serviceimports/s0");
    let pauses: Vec<Duration> = writes.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    assert_eq!(writes.len(), 9);
    assert!(pauses[7] > Duration::from_secs(5) && pauses[7] < Duration::from_secs(31), "{pauses:?}");
    assert_eq!(writes_of(&rig, "serviceimports/s1").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_request_holds_up_nothing_but_its_own_object() {
    let rig = Rig::new(0);
    rig.fake.fail("serviceimports/s0", 1, Wrong::Hangs);
    let begun = tokio::time::Instant::now();
    rig.input.send_replace(Arc::new(world::input(3, 80)));
    eventually(LONG, async || rig.fake.calls_of("endpointslices/s2").len() == 1).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1));
    rig.settled().await;
    assert!(begun.elapsed() > Duration::from_secs(29));
}

#[tokio::test(start_paused = true)]
async fn a_missing_rule_is_named_and_the_rest_works() {
    let rig = Rig::new(0);
    let rbac = "endpointslices.discovery.k8s.io \"x\" is forbidden: User \"a\" cannot create resource \"endpointslices\" in API group \"discovery.k8s.io\"";
    rig.fake.fail("endpointslices", usize::MAX, says(403, rbac));
    rig.input.send_replace(Arc::new(world::input(50, 80)));
    rig.until(|status| status.in_flight == 0 && status.pending == 100).await;
    let status = rig.status();
    assert!(status.failing.is_empty() && status.paused.len() == 1, "{status:#?}");
    assert_eq!(
        status.paused[0].message,
        "the agent's ClusterRole lacks the verb \"create\" for endpointslices.discovery.k8s.io"
    );
    let asked = rig.fake.calls_of("endpointslices").len();
    assert!(asked <= 32, "one look is enough, apart from what was under way: {asked}");
    assert_eq!(rig.fake.calls_of("serviceimports").len(), 100);
    // The rule is added: half a minute later all is well.
    rig.fake.heal();
    let begun = tokio::time::Instant::now();
    rig.settled().await;
    assert!(begun.elapsed() <= Duration::from_secs(31), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_goes_away_is_left_alone_until_it_is_back() {
    let rig = Rig::new(0);
    rig.fake.fail("clusterproperties", usize::MAX, Wrong::Says(404, "404 page not found".into(), None));
    rig.input.send_replace(Arc::new(world::input(1, 80)));
    rig.until(|status| status.paused.iter().any(|paused| paused.why == Why::Missing)).await;
    let asked = rig.fake.calls_of("clusterproperties").len();
    rig.fake.edit(|store| store.capabilities.properties = false);
    tokio::time::sleep(LONG).await;
    assert_eq!(rig.fake.calls_of("clusterproperties").len(), asked);
    rig.fake.heal();
    rig.fake.edit(|store| store.capabilities.properties = true);
    rig.settled().await;
    assert!(rig.status().ok());
}

#[tokio::test(start_paused = true)]
async fn a_terminating_namespace_is_no_failure() {
    let rig = Rig::new(0);
    let dying =
        json!({"message": "being terminated", "details": {"causes": [{"reason": "NamespaceTerminating"}]}});
    rig.fake.fail("demo", usize::MAX, Wrong::Says(403, dying.to_string(), None));
    rig.input.send_replace(Arc::new(world::input(1, 80)));
    eventually(LONG, async || rig.fake.calls_of("demo/").len() > 1).await.unwrap();
    assert!(rig.status().ok(), "{:#?}", rig.status());
    rig.fake.edit(|store| store.remove(&key("namespaces", "demo")));
    let asked = rig.fake.calls_of("demo/").len();
    tokio::time::sleep(LONG).await;
    assert_eq!(rig.fake.calls_of("demo/").len(), asked);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_tried_again_at_once() {
    let rig = Rig::new(0);
    rig.fake.fail("serviceimports/s0", 1, says(409, "the object has been modified"));
    rig.input.send_replace(Arc::new(world::input(1, 80)));
    rig.settled().await;
    let writes = writes_of(&rig, "serviceimports/s0");
    assert!(writes[1].at - writes[0].at < Duration::from_millis(5));
    assert!(rig.status().ok());
}

#[tokio::test(start_paused = true)]
async fn a_fight_is_found_slowed_down_and_told_with_the_other_ones_name() {
    let rig = Rig::new(1);
    rig.settled().await;
    let import = key("serviceimports", "demo/s0");
    for _ in 0..12 {
        rig.fake.edit(|store| {
            store.change(&import, |value| {
                value["spec"]["ips"] = json!(["10.6.6.6"]);
                let fields = value["metadata"]["managedFields"].as_array_mut();
                if let Some(fields) = fields {
                    fields.push(json!({"manager": "other-controller", "time": "2026-01-02T00:00:00Z"}));
                }
            });
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(rig.status().fights, ["ServiceImport demo/s0"]);
    // The first, five times put right, and the sixth by which it was a fight.
    assert_eq!(writes_of(&rig, "serviceimports/s0").len(), 7);
    let events = rig.fake.calls_of("/events");
    let told = events.iter().find(|call| call.json()["reason"] == "Fight").expect("an Event").json();
    assert!(told["note"].as_str().unwrap().contains("other-controller"), "{told}");
    assert_eq!(told["regarding"]["name"], "s0");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(rig.left(), 0, "once a minute it is put right");
    tokio::time::sleep(Duration::from_secs(200)).await;
    rig.input.send_replace(Arc::new(world::input(1, 80)));
    rig.until(|status| status.fights.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_ours_is_left_alone_and_told_once() {
    let rig = Rig::new(0);
    let import = key("serviceimports", "demo/s0");
    rig.fake.edit(|store| store.put(&import, json!({"spec": {"type": "Headless", "ports": []}})));
    rig.input.send_replace(Arc::new(world::input(1, 80)));
    rig.until(|status| status.foreign == ["ServiceImport demo/s0"]).await;
    tokio::time::sleep(LONG).await;
    let about = |call: &Call| call.path.contains("demo") && !call.path.contains("/events");
    assert!(!rig.fake.calls().iter().any(about), "{:#?}", rig.fake.calls());
    assert_eq!(rig.fake.calls_of("/events").len(), 1);
}
