//! From any start, whatever goes wrong for a while: it converges, one write of an object at a time, and then rests.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::rig::{LONG, Rig};
use super::world;
use crate::apply::fake::{Fake, Wrong, key};

/// Something that happens to the cluster or the federation.
#[derive(Debug, Clone)]
enum Happening {
    /// The federation offers so many services, on this port.
    Offers(usize, u16),
    /// Somebody edits an import.
    Edit(usize),
    /// Somebody deletes an import, and what it owns stays for the moment.
    Delete(usize),
    /// The next writes fail with this status.
    Fails(u16, usize),
    /// The watches stop, or go on.
    Watches(bool),
    /// Time passes.
    Passes(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        (0_usize..6, 80_u16..83).prop_map(|(services, port)| Happening::Offers(services, port)),
        (0_usize..6).prop_map(Happening::Edit),
        (0_usize..6).prop_map(Happening::Delete),
        (prop_oneof![Just(409), Just(429), Just(500), Just(503), Just(403)], 1_usize..5)
            .prop_map(|(status, times)| Happening::Fails(status, times)),
        any::<bool>().prop_map(Happening::Watches),
        (0_u64..500).prop_map(Happening::Passes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_it_converges_and_then_rests(happenings in prop::collection::vec(happening(), 1..14)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(live_through(happenings));
    }
}

async fn live_through(happenings: Vec<Happening>) {
    let fake = Fake::new();
    fake.edit(|store| store.put(&key("namespaces", "demo"), json!({})));
    // Left behind by another time.
    let stale = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "isthmus"}}, "spec": {}});
    fake.edit(|store| store.put(&key("serviceimports", "demo/s3"), stale.clone()));
    fake.edit(|store| store.put(&key("serviceimports", "demo/old"), stale));
    let rig = Rig::on(fake, 2);
    for happening in happenings {
        let import = |index: usize| key("serviceimports", &format!("demo/s{index}"));
        match happening {
            Happening::Offers(services, port) => {
                rig.input.send_replace(Arc::new(world::input(services, port)));
            }
            Happening::Edit(index) => rig.fake.edit(|store| {
                store.change(&import(index), |value| value["spec"]["ips"] = json!(["10.0.0.1"]));
            }),
            Happening::Delete(index) => rig.fake.edit(|store| store.remove(&import(index))),
            Happening::Fails(status, times) => {
                rig.fake.fail("demo", times, Wrong::Says(status, "{}".into(), None));
            }
            Happening::Watches(deliver) => rig.fake.delivers(deliver),
            Happening::Passes(millis) => pass(Duration::from_millis(millis)).await,
        }
        tokio::task::yield_now().await;
    }
    rig.fake.heal();
    rig.fake.delivers(true);
    rig.settled().await;
    assert!(!rig.fake.concurrency().1, "two writes of one object at once");
    pass(Duration::from_secs(1)).await;
    rig.fake.forget_calls();
    pass(LONG).await;
    let calls = rig.fake.calls();
    assert!(calls.is_empty(), "still writing: {calls:#?}");
    assert!(rig.status().failing.is_empty(), "{:#?}", rig.status());
}

/// Lets time go by. The clock is paused: this costs none, and everything that is due happens.
async fn pass(time: Duration) {
    let _elapsed = tokio::time::timeout(time, std::future::pending::<()>()).await;
}
