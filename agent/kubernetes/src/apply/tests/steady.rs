//! When all goes well.

use std::sync::Arc;
use std::time::Duration;

use agent_plan::mcs::names::derived_name;
use federation_kit::testing::eventually;
use serde_json::json;

use super::rig::{LONG, Rig};
use super::world;
use crate::apply::fake::{Wrong, key};

#[tokio::test(start_paused = true)]
async fn an_import_becomes_everything_that_it_needs_and_then_nothing_is_written() {
    let rig = Rig::new(3);
    rig.settled().await;
    let derived = derived_name(&"demo/s0".parse().unwrap());
    rig.fake.edit(|store| {
        let import = store.get(&key("serviceimports", "demo/s0")).unwrap();
        assert_eq!(import["spec"]["ips"], json!(["240.240.0.1"]));
        assert_eq!(import["status"]["clusters"][0]["cluster"], "west");
        assert_eq!(import["metadata"]["labels"]["app.kubernetes.io/managed-by"], "isthmus");
        let service = store.get(&key("services", &format!("demo/{}", derived.name))).unwrap();
        assert_eq!(service["status"]["loadBalancer"]["ingress"][0]["ip"], "240.240.0.1");
        assert_eq!(service["metadata"]["ownerReferences"][0]["uid"], import["metadata"]["uid"]);
    });
    // Each object is created once, and each status is set once: two writes, two, one slice of each role, two names.
    assert_eq!(rig.fake.calls().len(), 3 * 6 + 2);
    rig.fake.forget_calls();
    rig.fake.edit(|store| store.put(&key("namespaces", "other"), json!({})));
    rig.input.send_replace(Arc::new(world::input(3, 80)));
    tokio::time::sleep(LONG).await;
    assert_eq!(rig.fake.calls().len(), 0, "{:#?}", rig.fake.calls());
    assert!(rig.status().ok() && rig.metrics().contains("outcome=\"done\""));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_twice_while_the_watches_are_behind() {
    let rig = Rig::new(40);
    rig.fake.delivers(false);
    rig.input.send_replace(Arc::new(world::input(80, 80)));
    rig.settled().await;
    assert_eq!(rig.fake.calls().len(), 80 * 6 + 2, "dependants follow from the answers");
    // An old state that comes late is no news.
    rig.fake.delivers(true);
    rig.input.send_replace(Arc::new(world::input(80, 80)));
    tokio::time::sleep(LONG).await;
    assert_eq!(rig.fake.calls().len(), 80 * 6 + 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_silent_watch_never_confirms_is_written_again_at_last() {
    let rig = Rig::new(1);
    rig.settled().await;
    rig.fake.delivers(false);
    rig.input.send_replace(Arc::new(world::input(1, 81)));
    rig.settled().await;
    // Somebody deletes it and the watch has not even told that it changed.
    rig.fake.edit(|store| store.remove(&key("serviceimports", "demo/s0")));
    assert!(rig.left() > 0);
    tokio::time::sleep(Duration::from_secs(61)).await;
    rig.fake.delivers(true);
    rig.settled().await;
}

#[tokio::test(start_paused = true)]
async fn an_edit_by_hand_is_put_right_and_a_removed_export_goes() {
    let rig = Rig::new(2);
    rig.settled().await;
    let import = key("serviceimports", "demo/s0");
    rig.fake.edit(|store| store.change(&import, |value| value["spec"]["ips"] = json!(["10.0.0.1"])));
    rig.settled().await;
    rig.fake.edit(|store| assert_eq!(store.get(&import).unwrap()["spec"]["ips"], json!(["240.240.0.1"])));
    rig.input.send_replace(Arc::new(world::input(1, 80)));
    rig.settled().await;
    rig.fake.edit(|store| {
        let left: Vec<&String> = store.objects.keys().filter(|path| path.contains("s1")).collect();
        assert!(left.is_empty(), "{left:?}");
    });
}

#[tokio::test(start_paused = true)]
async fn one_write_of_an_object_at_a_time_and_no_more_than_there_is_room_for() {
    let rig = Rig::new(100);
    rig.fake.slow(Duration::from_millis(20));
    for port in 81..90 {
        rig.input.send_replace(Arc::new(world::input(100, port)));
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    rig.settled().await;
    assert_eq!(rig.fake.concurrency(), (32, false));
    // What was superseded in the queue was never sent.
    assert!(rig.fake.calls().len() < 9 * 600, "{}", rig.fake.calls().len());
}

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_what_is_under_way_and_starts_nothing() {
    let mut rig = Rig::new(100);
    rig.fake.slow(Duration::from_secs(1));
    eventually(LONG, async || rig.status().in_flight == 32).await.unwrap();
    let trigger = rig.trigger.take().unwrap();
    assert_eq!(trigger.drain(LONG).await, federation_kit::drain::Drained::Complete);
    rig.task.await.unwrap();
    assert_eq!(rig.fake.calls().len(), 32);
    assert_eq!(
        rig.fake.edit(|store| store.objects.keys().filter(|path| path.contains("serviceimports")).count()),
        32
    );
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_an_api_server_that_hangs() {
    let mut rig = Rig::new(3);
    rig.fake.fail("", usize::MAX, Wrong::Hangs);
    eventually(LONG, async || rig.status().in_flight > 0).await.unwrap();
    let trigger = rig.trigger.take().unwrap();
    assert!(matches!(
        trigger.drain(Duration::from_secs(3)).await,
        federation_kit::drain::Drained::Forced { .. }
    ));
    rig.task.await.unwrap();
}
