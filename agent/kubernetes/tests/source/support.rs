//! A source that runs against a fake, and what it published.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agent_kubernetes::connect::{ClientOptions, connect};
use agent_kubernetes::source::{Feeds, KubernetesSource, SourceOptions, SourceStatus};
use agent_plan::SourceState;
use agent_plan::mcs::Observed;
use federation_kit::drain::{self, DrainTrigger};
use prometheus_client::registry::Registry;
use tempfile::TempDir;

use crate::fake_api::FakeApi;

/// How long a broken test hangs.
const HANG: Duration = Duration::from_secs(60);

/// A running source.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) feeds: Feeds,
    pub(crate) status: SourceStatus,
    _directory: Arc<TempDir>,
    least: Arc<AtomicUsize>,
    _trigger: DrainTrigger,
}

impl Running {
    /// Runs with an empty directory.
    pub(crate) async fn start(api: &FakeApi) -> Self {
        let directory = Arc::new(TempDir::new().unwrap());
        api.kubeconfig(directory.path());
        Self::start_in(directory, None).await
    }

    /// Runs with the kubeconfig and the snapshot of a directory.
    pub(crate) async fn start_in(directory: Arc<TempDir>, gateway: Option<&str>) -> Self {
        let kubeconfig = Some(directory.path().join("kubeconfig"));
        let client = connect(&ClientOptions { kubeconfig, context: None }).await.unwrap();
        let options = SourceOptions {
            gateway_service: gateway.map(|id| id.parse().unwrap()),
            snapshot: directory.path().join("snapshot"),
        };
        let (source, feeds) = KubernetesSource::open(client, options, &mut Registry::default()).unwrap();
        let status = source.status();
        let (trigger, watcher) = drain::channel();
        tokio::spawn(source.run(watcher));
        let least = Arc::new(AtomicUsize::new(usize::MAX));
        let (mut states, lowest) = (feeds.state.clone(), Arc::clone(&least));
        tokio::spawn(async move {
            while states.wait_for(|state| state.loaded).await.is_ok() {
                lowest.fetch_min(states.borrow_and_update().objects.exports.len(), Ordering::Relaxed);
                if states.changed().await.is_err() {
                    return;
                }
            }
        });
        Self { feeds, status, _directory: directory, least, _trigger: trigger }
    }

    pub(crate) fn state(&self) -> Arc<SourceState> {
        Arc::clone(&self.feeds.state.borrow())
    }

    /// The fewest exports of any state that was published once it counted.
    pub(crate) fn least_exports(&self) -> usize {
        self.least.load(Ordering::Relaxed)
    }

    /// Waits for a state.
    #[track_caller]
    pub(crate) fn until(&self, mut is: impl FnMut(&SourceState) -> bool) -> impl Future<Output = ()> {
        let mut states = self.feeds.state.clone();
        let caller = std::panic::Location::caller();
        async move {
            let seen = tokio::time::timeout(HANG, states.wait_for(|state| is(state))).await.is_ok();
            if !seen {
                panic!("{caller}: not within {HANG:?}; the last state is {:#?}", states.borrow());
            }
        }
    }

    pub(crate) async fn observed(&self, is: impl FnMut(&Arc<Observed>) -> bool) -> Arc<Observed> {
        let mut observed = self.feeds.observed.clone();
        let seen = tokio::time::timeout(HANG, observed.wait_for(is)).await;
        Arc::clone(&seen.expect("in time").unwrap())
    }

    /// Waits until this many exports are published.
    pub(crate) async fn exports(&self, count: usize) {
        self.until(|state| state.loaded && state.objects.exports.len() == count).await;
    }

    /// Waits until a service is exported and served at an address.
    pub(crate) async fn sees(&self, name: &str, address: &str) {
        let id = format!("demo/{name}").parse().unwrap();
        self.until(|state| {
            let objects = &state.objects;
            let slices = objects.slices.get(&id).into_iter().flat_map(|slices| slices.values());
            let mut endpoints = slices.flat_map(|slice| slice.endpoints.iter().flatten());
            let served = endpoints.any(|endpoint| endpoint.addresses.iter().any(|found| found == address));
            served && objects.services.contains_key(&id) && objects.exports.contains_key(&id)
        })
        .await;
    }
}
