//! Starts while the API server is gone, and what becomes of them.

use std::sync::Arc;

use agent_kubernetes::source::WatchState;
use agent_plan::source_state::Reason;
use federation_kit::testing::eventually;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::fake_api::{EXPORTS, FakeApi, Fault, NODES, SERVICES, SLICES, kubeconfig, slice};
use crate::support::Running;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_snapshot_counts_until_the_api_server_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let api = FakeApi::on(listener);
    api.export("echo");
    api.export("other");
    let directory = Arc::new(TempDir::new().unwrap());
    api.kubeconfig(directory.path());
    let source = Running::start_in(Arc::clone(&directory), None).await;
    source.exports(2).await;
    let snapshot = directory.path().join("snapshot");
    let written = eventually(std::time::Duration::from_secs(60), async || {
        std::fs::read_to_string(&snapshot).is_ok_and(|text| text.contains("demo/other"))
    });
    written.await.unwrap();
    drop(source);

    // Nothing listens at another port: refused.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    std::fs::write(directory.path().join("kubeconfig"), kubeconfig(&format!("http://{gone}"))).unwrap();
    let source = Running::start_in(Arc::clone(&directory), None).await;
    source.sees("echo", "10.0.0.1").await;
    let state = source.state();
    assert!(state.problems.iter().any(|problem| problem.reason == Reason::Stale), "{:?}", state.problems);
    assert!(!source.feeds.observed.borrow().complete);
    drop(source);

    // It answers, but with errors: the snapshot counts after a while, and is replaced once it answers better.
    std::fs::write(directory.path().join("kubeconfig"), kubeconfig(&format!("http://{address}"))).unwrap();
    api.delete(EXPORTS, "demo", "other");
    api.put(SLICES, slice("echo", "10.0.0.5"));
    for path in [SERVICES, SLICES, EXPORTS] {
        api.always(path, Some(Fault::Status(500, None)));
    }
    let source = Running::start_in(Arc::clone(&directory), None).await;
    source.exports(2).await;
    for path in [SERVICES, SLICES, EXPORTS] {
        api.always(path, None);
    }
    source.exports(1).await;
    source.sees("echo", "10.0.0.5").await;
    source.until(|state| state.problems.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_snapshot_is_put_aside_and_without_one_nothing_counts() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let directory = Arc::new(TempDir::new().unwrap());
    std::fs::write(directory.path().join("kubeconfig"), kubeconfig(&format!("http://{gone}"))).unwrap();
    std::fs::write(directory.path().join("snapshot"), "nonsense").unwrap();
    let source = Running::start_in(Arc::clone(&directory), None).await;
    source.until(|state| !state.problems.is_empty()).await;
    assert!(!source.state().loaded);
    assert!(directory.path().join("snapshot.damaged").exists());
    let refused = source.state().problems.first().unwrap().to_string();
    assert!(refused.contains("refuses connections"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_watched_only_while_the_gateways_service_needs_them() {
    let api = FakeApi::start().await;
    let gateway = |kind: &str| {
        json!({"metadata": {"namespace": "demo", "name": "gateway"},
               "spec": {"type": kind, "ports": [{"name": "mtls", "port": 15443, "nodePort": 31443}]}})
    };
    api.put(SERVICES, gateway("ClusterIP"));
    api.put(SLICES, slice("gateway", "10.0.0.3"));
    api.put(
        NODES,
        json!({"metadata": {"name": "n"},
               "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
                          "conditions": [{"type": "Ready", "status": "True"}]}}),
    );
    let directory = Arc::new(TempDir::new().unwrap());
    api.kubeconfig(directory.path());
    let source = Running::start_in(directory, Some("demo/gateway")).await;
    let mut gateways = source.feeds.gateways.clone();
    let mut dialled = async |address: &str| {
        let seen = gateways.wait_for(|now| now.external.iter().any(|one| one.address.to_string() == address));
        tokio::time::timeout(std::time::Duration::from_secs(60), seen).await.unwrap().unwrap();
    };
    dialled("10.0.0.3:15443").await;
    assert_eq!(api.count(NODES), 0);
    api.put(SERVICES, gateway("NodePort"));
    dialled("192.0.2.1:31443").await;
    api.put(SERVICES, gateway("ClusterIP"));
    dialled("10.0.0.3:15443").await;
    let unwanted = eventually(std::time::Duration::from_secs(60), async || {
        let watches = source.status.watches();
        watches.iter().any(|watch| watch.state == WatchState::NotWanted && watch.objects == 0)
    });
    unwanted.await.unwrap();
}
