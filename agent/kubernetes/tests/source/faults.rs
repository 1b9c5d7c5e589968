//! The source, against a fake API server that misbehaves: whatever it does, what was known stays known, and what is new
//! is known soon after it behaves again.

use serde_json::json;
use tokio::task::JoinSet;

use crate::fake_api::{
    EXPORTS, FakeApi, Fault, IMPORTS, NAMESPACES, OLD_EXPORTS, PROPERTIES, SERVICES, SLICES, service, slice,
};
use crate::support::Running;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_are_known_at_the_start_and_every_change_after_it() {
    let api = FakeApi::start().await;
    api.export("echo");
    api.put(SERVICES, service("private"));
    api.put(SLICES, slice("private", "10.0.0.2"));
    let source = Running::start(&api).await;
    source.sees("echo", "10.0.0.1").await;
    let state = source.state();
    assert!(state.problems.is_empty(), "{:?}", state.problems);
    assert_eq!(state.objects.services.len(), 1, "what nobody exports is not published");
    api.put(SLICES, slice("echo", "10.0.0.9"));
    source.sees("echo", "10.0.0.9").await;
    api.put(EXPORTS, json!({"metadata": {"namespace": "demo", "name": "private"}}));
    source.sees("private", "10.0.0.2").await;
    api.delete(EXPORTS, "demo", "echo");
    source.exports(1).await;
    api.put(NAMESPACES, json!({"metadata": {"name": "demo", "deletionTimestamp": "2026-01-01T00:00:00Z"}}));
    source.until(|state| state.objects.namespaces.is_empty()).await;
    assert_eq!(api.count("sendInitialEvents"), 6, "every kind but the nodes was listed, once");
}

/// Each fault hits a watch that has been listed, or the list that follows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_takes_anything_away_or_keeps_news_away() {
    let cut_line = "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"ec".to_owned();
    let gone = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}\n".to_owned();
    let busy =
        "{\"type\":\"ERROR\",\"object\":{\"code\":429,\"details\":{\"retryAfterSeconds\":1}}}\n".to_owned();
    let cases: Vec<(&str, Vec<Fault>)> = vec![
        ("an error", vec![Fault::Status(500, None)]),
        ("errors", vec![Fault::Status(500, None), Fault::Status(503, Some(1)), Fault::Status(504, None)]),
        ("too many requests", vec![Fault::Status(429, Some(1))]),
        ("an expired token", vec![Fault::Status(401, None)]),
        ("gone as a status", vec![Fault::Status(410, None)]),
        ("gone as an event", vec![Fault::Stream(gone.clone())]),
        ("gone, then an error", vec![Fault::Stream(gone.clone()), Fault::Status(500, None)]),
        ("gone, then half a list", vec![Fault::Stream(gone.clone()), Fault::Stream(cut_line.clone())]),
        ("gone, then nonsense", vec![Fault::Stream(gone), Fault::Stream("<html>\n".to_owned())]),
        ("half a line", vec![Fault::Stream(cut_line)]),
        ("a line that is not JSON", vec![Fault::Stream("{{{\n".to_owned())]),
        ("an event of no type", vec![Fault::Stream("{\"type\":\"WHAT\",\"object\":{}}\n".to_owned())]),
        ("an object of no name", vec![Fault::Stream("{\"type\":\"ADDED\",\"object\":{}}\n".to_owned())]),
        ("busy as an event", vec![Fault::Stream(busy)]),
        ("nothing at all", vec![Fault::Stream(String::new())]),
    ];
    // Each with a server of its own, and all at once: together they would only wait for one another's backoff.
    let mut running = JoinSet::new();
    for (case, faults) in cases {
        running.spawn(async move {
            let api = FakeApi::start().await;
            api.export("echo");
            let source = Running::start(&api).await;
            source.sees("echo", "10.0.0.1").await;
            for path in [SERVICES, SLICES, EXPORTS, NAMESPACES] {
                api.fault(path, faults.clone());
            }
            api.cut();
            api.put(SLICES, slice("echo", "10.0.0.2"));
            source.sees("echo", "10.0.0.2").await;
            api.delete(SERVICES, "demo", "echo");
            source.until(|state| state.objects.services.is_empty() && state.problems.is_empty()).await;
            assert_eq!(source.least_exports(), 1, "{case}: something was withdrawn meanwhile");
        });
    }
    running.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_was_missed_is_seen_by_the_list_after_a_410() {
    let api = FakeApi::start().await;
    api.export("echo");
    api.export("gone");
    let source = Running::start(&api).await;
    source.exports(2).await;
    for path in [SERVICES, SLICES, EXPORTS] {
        api.always(path, Some(Fault::Status(500, None)));
    }
    api.cut();
    api.delete(EXPORTS, "demo", "gone");
    api.delete(SERVICES, "demo", "gone");
    api.set(|shared| shared.store.forget_events());
    source.until(|state| !state.problems.is_empty()).await;
    assert_eq!(source.state().objects.exports.len(), 2, "while it cannot be known, nothing is taken away");
    for path in [SERVICES, SLICES, EXPORTS] {
        api.always(path, None);
    }
    source.exports(1).await;
    source.sees("echo", "10.0.0.1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_streaming_lists_is_asked_page_by_page() {
    let api = FakeApi::start().await;
    api.set(|shared| {
        shared.streaming = false;
        shared.page = 2;
    });
    for index in 0..7 {
        api.export(&format!("echo-{index}"));
    }
    // The second page of the first attempt fails: half a list is nothing.
    api.fault(SERVICES, [Fault::Status(422, None)]);
    let source = Running::start(&api).await;
    source.exports(7).await;
    assert_eq!(source.state().objects.services.len(), 7);
    assert!(api.count("/api/v1/services?limit=500&continue=6") > 0);
    api.export("later");
    source.sees("later", "10.0.0.1").await;
    // A version that is gone between two pages starts the list anew.
    api.set(|shared| shared.store.forget_events());
    api.cut();
    api.export("latest");
    source.sees("latest", "10.0.0.1").await;
    assert_eq!(source.state().objects.exports.len(), 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_we_may_not_read_is_named_with_its_rule_and_the_rest_works() {
    let api = FakeApi::start().await;
    api.always(PROPERTIES, Some(Fault::Status(403, None)));
    api.export("echo");
    let source = Running::start(&api).await;
    source.sees("echo", "10.0.0.1").await;
    source.until(|state| state.problems.len() == 1).await;
    let told = source.state().problems.first().unwrap().to_string();
    assert!(
        told.contains("ClusterProperties: missing rule: get, list, watch of about.k8s.io/clusterproperties"),
        "{told}"
    );
    let observed = source.observed(|observed| observed.complete).await;
    assert!(!observed.capabilities.properties && observed.capabilities.exports.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_namespaces_a_namespace_with_something_in_it_counts() {
    let api = FakeApi::start().await;
    api.always(NAMESPACES, Some(Fault::Status(403, None)));
    api.export("echo");
    let source = Running::start(&api).await;
    source.sees("echo", "10.0.0.1").await;
    assert_eq!(source.state().objects.namespaces.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crds_may_be_missing_come_go_and_be_old() {
    let api = FakeApi::start().await;
    api.set(|shared| shared.served.clear());
    api.export("echo");
    let source = Running::start(&api).await;
    source.until(|state| state.loaded && state.problems.len() == 3).await;
    assert_eq!(source.state().objects.exports.len(), 0);
    assert!(source.state().problems.iter().all(|problem| problem.to_string().contains("is not installed")));
    // Nobody tells of a CRD that is installed: the source looks for it.
    api.put(OLD_EXPORTS, json!({"metadata": {"namespace": "demo", "name": "echo"}}));
    api.set(|shared| shared.served.push(OLD_EXPORTS));
    source.sees("echo", "10.0.0.1").await;
    // Removed: the watch is told 404, and discovery confirms it. Back, and new: it is found again.
    api.set(|shared| shared.served.clear());
    api.cut();
    source.until(|state| state.objects.exports.is_empty() && state.problems.len() == 3).await;
    api.set(|shared| shared.served = vec![EXPORTS, IMPORTS, PROPERTIES]);
    source.sees("echo", "10.0.0.1").await;
    source.until(|state| state.problems.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_of_a_newer_schema_counts_as_it_was_and_is_named() {
    let api = FakeApi::start().await;
    api.export("echo");
    let source = Running::start(&api).await;
    source.sees("echo", "10.0.0.1").await;
    api.put(
        EXPORTS,
        json!({"metadata": {"namespace": "demo", "name": "echo"}, "spec": {"exportedLabels": 7}}),
    );
    api.put(SERVICES, json!({"metadata": {"namespace": "demo", "name": "other"}, "spec": {"ports": "none"}}));
    source.until(|state| state.problems.len() == 2).await;
    let state = source.state();
    assert_eq!(state.objects.exports.len(), 1);
    let told: Vec<String> = state.problems.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|text| text.starts_with("ServiceExport demo/echo: cannot be used")), "{told:?}");
    assert!(told.iter().any(|text| text.starts_with("Service demo/other: cannot be used")), "{told:?}");
    api.export("echo");
    api.delete(SERVICES, "demo", "other");
    source.until(|state| state.problems.is_empty()).await;
}
