//! When each ServiceImport became ready, as a watch of its API server shows it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use futures::StreamExt;
use kube::api::{ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::content::NAMESPACE;

type Ready = BTreeMap<String, Instant>;

/// Watches until it is dropped.
#[derive(Debug)]
pub(super) struct Imports {
    ready: watch::Receiver<Ready>,
    task: JoinHandle<()>,
}

impl Drop for Imports {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Imports {
    pub(super) fn watch(client: Client) -> Self {
        let kind = GroupVersionKind::gvk("multicluster.x-k8s.io", "v1beta1", "ServiceImport");
        let api = Api::<DynamicObject>::namespaced_with(client, NAMESPACE, &ApiResource::from_gvk(&kind));
        let (sender, ready) = watch::channel(Ready::new());
        let task = tokio::spawn(follow(api, Arc::new(sender)));
        Self { ready, task }
    }

    /// Waits until one is ready; gives back since when, or none if it is not in time.
    pub(super) async fn ready(&self, name: &str, within: Duration) -> Option<Instant> {
        let mut ready = self.ready.clone();
        let seen = timeout(within, ready.wait_for(|ready| ready.contains_key(name))).await.ok()?.ok()?;
        seen.get(name).copied()
    }

    /// Waits until all are ready; gives back when the last became so.
    pub(super) async fn all_ready(
        &self,
        names: impl Iterator<Item = &str> + Clone,
        within: Duration,
    ) -> anyhow::Result<Instant> {
        let mut ready = self.ready.clone();
        let all = |ready: &Ready| names.clone().all(|name| ready.contains_key(name));
        if let Ok(Ok(ready)) = timeout(within, ready.wait_for(all)).await {
            return Ok(names.filter_map(|name| ready.get(name)).max().copied().unwrap_or_else(Instant::now));
        }
        let ready = self.ready.borrow();
        let (all, missing) = (names.clone().count(), names.filter(|name| !ready.contains_key(*name)).count());
        bail!("{missing} of {all} ServiceImports are not ready after {} s", within.as_secs())
    }
}

async fn follow(api: Api<DynamicObject>, ready: Arc<watch::Sender<Ready>>) {
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()));
    while let Some(event) = events.next().await {
        let object = match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => object,
            Ok(_) => continue,
            Err(error) => {
                eprintln!("the watch of ServiceImports broke off, and goes on: {error}");
                continue;
            }
        };
        let now = Instant::now();
        if is_ready(&object.data) {
            let name = object.metadata.name.unwrap_or_default();
            ready.send_modify(|ready| {
                ready.entry(name).or_insert(now);
            });
        }
    }
}

fn is_ready(import: &Value) -> bool {
    let conditions = import.pointer("/status/conditions").and_then(Value::as_array);
    let is =
        |condition: &Value, key: &str, value: &str| condition.get(key).and_then(Value::as_str) == Some(value);
    conditions.into_iter().flatten().any(|one| is(one, "type", "Ready") && is(one, "status", "True"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_condition_ready_counts() {
        let with =
            |kind: &str, status: &str| json!({"status": {"conditions": [{"type": kind, "status": status}]}});
        assert!(is_ready(&with("Ready", "True")));
        assert!(!is_ready(&with("Ready", "False")));
        assert!(!is_ready(&with("Accepted", "True")));
        assert!(!is_ready(&json!({})));
    }
}
