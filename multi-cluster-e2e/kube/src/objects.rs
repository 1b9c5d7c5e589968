//! Reading and writing objects of any kind, as JSON: a story says what a person would write in YAML.

use std::time::Duration;

use anyhow::Context;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use multi_cluster_e2e_lab::wait::{Seen, until};
use serde_json::{Value, json};

/// The field manager of what stories write: a person with kubectl.
const MANAGER: &str = "story";

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
}

impl Kind {
    /// `v1 Namespace`.
    pub const NAMESPACE: Self = Self::new("", "v1", "Namespace");
    /// `v1 Service`.
    pub const SERVICE: Self = Self::new("", "v1", "Service");
    /// `v1 ServiceAccount`.
    pub const SERVICE_ACCOUNT: Self = Self::new("", "v1", "ServiceAccount");
    /// `v1 Secret`.
    pub const SECRET: Self = Self::new("", "v1", "Secret");
    /// `v1 ConfigMap`.
    pub const CONFIG_MAP: Self = Self::new("", "v1", "ConfigMap");
    /// `events.k8s.io/v1 Event`.
    pub const EVENT: Self = Self::new("events.k8s.io", "v1", "Event");
    /// `discovery.k8s.io/v1 EndpointSlice`.
    pub const ENDPOINT_SLICE: Self = Self::new("discovery.k8s.io", "v1", "EndpointSlice");
    /// `apiextensions.k8s.io/v1 CustomResourceDefinition`.
    pub const CRD: Self = Self::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    /// `multicluster.x-k8s.io/v1beta1 ServiceExport`.
    pub const SERVICE_EXPORT: Self = Self::new("multicluster.x-k8s.io", "v1beta1", "ServiceExport");
    /// `multicluster.x-k8s.io/v1beta1 ServiceImport`.
    pub const SERVICE_IMPORT: Self = Self::new("multicluster.x-k8s.io", "v1beta1", "ServiceImport");
    /// `about.k8s.io/v1beta1 ClusterProperty`.
    pub const CLUSTER_PROPERTY: Self = Self::new("about.k8s.io", "v1beta1", "ClusterProperty");

    /// Any other; its plural must be regular. The core group is `""`.
    pub const fn new(group: &'static str, version: &'static str, kind: &'static str) -> Self {
        Self { group, version, kind }
    }

    fn resource(self) -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk(self.group, self.version, self.kind))
    }
}

/// The objects of one API server, as one user.
#[derive(Clone)]
pub struct Objects {
    client: Client,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects").finish_non_exhaustive()
    }
}

impl Objects {
    /// What `client` may see.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Creates or changes an object, as `kubectl apply --server-side --force-conflicts` does. Gives back what it became.
    ///
    /// # Errors
    /// When it has no kind or name, or is refused.
    pub async fn apply(&self, object: Value) -> anyhow::Result<Value> {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (api_version, kind) = (text("/apiVersion"), text("/kind"));
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
        let patch = Patch::Apply(&object);
        let applied =
            self.api(&resource, &namespace).patch(&name, &PatchParams::apply(MANAGER).force(), &patch).await;
        to_value(applied.with_context(|| format!("applying {kind} {namespace}/{name}"))?)
    }

    /// Merges `patch` into an object, as `kubectl patch --type merge` does.
    ///
    /// # Errors
    /// When it is not there or the change is refused.
    pub async fn merge(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        patch: Value,
    ) -> anyhow::Result<Value> {
        let merged = self
            .api(&kind.resource(), namespace)
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        to_value(merged.with_context(|| format!("patching {} {namespace}/{name}", kind.kind))?)
    }

    /// One object, if it is there. The namespace of objects of the whole cluster is `""`.
    ///
    /// # Errors
    /// When the API server does not answer or refuses.
    pub async fn get(&self, kind: Kind, namespace: &str, name: &str) -> anyhow::Result<Option<Value>> {
        let found = self.api(&kind.resource(), namespace).get_opt(name).await;
        let found = found.with_context(|| format!("reading {} {namespace}/{name}", kind.kind))?;
        found.map(to_value).transpose()
    }

    /// All objects of a kind in a namespace (`""`: everywhere) that a label selector chooses (`""`: all).
    ///
    /// # Errors
    /// When the API server does not answer or refuses.
    pub async fn list(&self, kind: Kind, namespace: &str, labels: &str) -> anyhow::Result<Vec<Value>> {
        let found = self.api(&kind.resource(), namespace).list(&ListParams::default().labels(labels)).await;
        let found = found.with_context(|| format!("listing {} in {namespace:?}", kind.kind))?;
        found.items.into_iter().map(to_value).collect()
    }

    /// Deletes an object; one that is not there is no error. With a finalizer it stays for as long as that.
    ///
    /// # Errors
    /// When the API server does not answer or refuses.
    pub async fn delete(&self, kind: Kind, namespace: &str, name: &str) -> anyhow::Result<()> {
        match self.api(&kind.resource(), namespace).delete(name, &DeleteParams::background()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error).with_context(|| format!("deleting {} {namespace}/{name}", kind.kind)),
        }
    }

    /// Makes a namespace.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn namespace(&self, name: &str) -> anyhow::Result<()> {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.apply(object).await.map(drop)
    }

    /// Waits until one object is what `wanted` looks for (`None`: it is not there); gives back what that saw.
    ///
    /// # Errors
    /// When it is not so in time: with what the object was at last.
    pub async fn until<T>(
        &self,
        kind: Kind,
        (namespace, name): (&str, &str),
        within: Duration,
        wanted: impl Fn(Option<&Value>) -> Option<T>,
    ) -> anyhow::Result<T> {
        let look = || async {
            Ok(match self.get(kind, namespace, name).await {
                Ok(found) => wanted(found.as_ref())
                    .map_or_else(|| Seen::NotYet(format!("{}", found.unwrap_or_default())), Seen::Done),
                // A kind that is not served yet, an API server that is being started.
                Err(error) => Seen::NotYet(format!("{error:#}")),
            })
        };
        Ok(until(&format!("{} {namespace}/{name}", kind.kind), within, look).await?.0)
    }

    fn api(&self, resource: &ApiResource, namespace: &str) -> Api<DynamicObject> {
        if namespace.is_empty() {
            Api::all_with(self.client.clone(), resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, resource)
        }
    }
}

fn to_value(object: DynamicObject) -> anyhow::Result<Value> {
    Ok(serde_json::to_value(object)?)
}
