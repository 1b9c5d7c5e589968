//! A fake API server that serves a few objects the way a real one does, and misbehaves on demand. It proves what the
//! source does when answered so; that a real one answers so is proved by the stories of `multi-cluster-e2e`.

mod answers;
mod store;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(crate) use store::Store;

pub(crate) const NAMESPACES: &str = "/api/v1/namespaces";
pub(crate) const SERVICES: &str = "/api/v1/services";
pub(crate) const SLICES: &str = "/apis/discovery.k8s.io/v1/endpointslices";
pub(crate) const NODES: &str = "/api/v1/nodes";
pub(crate) const EXPORTS: &str = "/apis/multicluster.x-k8s.io/v1beta1/serviceexports";
pub(crate) const OLD_EXPORTS: &str = "/apis/multicluster.x-k8s.io/v1alpha1/serviceexports";
pub(crate) const IMPORTS: &str = "/apis/multicluster.x-k8s.io/v1beta1/serviceimports";
pub(crate) const PROPERTIES: &str = "/apis/about.k8s.io/v1beta1/clusterproperties";

/// One way to misbehave, once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// An error, perhaps with `Retry-After`, in seconds.
    Status(u16, Option<u64>),
    /// A watch that sends this, as it is, and ends.
    Stream(String),
}

/// What is shared by all requests.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) store: Store,
    /// For the next requests to a path, in order.
    pub(crate) faults: BTreeMap<String, VecDeque<Fault>>,
    /// For every request to a path.
    pub(crate) always: BTreeMap<String, Fault>,
    /// Paths that are served, of those that come with CRDs.
    pub(crate) served: Vec<&'static str>,
    /// Whether streaming lists are known.
    pub(crate) streaming: bool,
    /// Objects in a page at most.
    pub(crate) page: usize,
    /// Every request, with its query.
    pub(crate) requests: Vec<String>,
}

/// The server. It ends with its runtime.
#[derive(Debug, Clone)]
pub(crate) struct FakeApi {
    pub(crate) shared: Arc<Mutex<Shared>>,
    /// Counts up at every change of the store; the upper half at every cut of all watches.
    pub(crate) changed: Arc<watch::Sender<(u64, u64)>>,
    address: std::net::SocketAddr,
}

impl FakeApi {
    /// Serves on a port of its own, with every CRD and nothing in it but the namespace `demo`.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener)
    }

    pub(crate) fn on(listener: TcpListener) -> Self {
        let shared = Shared {
            served: vec![EXPORTS, IMPORTS, PROPERTIES],
            streaming: true,
            page: 500,
            ..Shared::default()
        };
        let api = Self {
            shared: Arc::new(Mutex::new(shared)),
            changed: Arc::new(watch::channel((0, 0)).0),
            address: listener.local_addr().unwrap(),
        };
        api.put(NAMESPACES, json!({"metadata": {"name": "demo"}}));
        let app = Router::new().fallback(answers::answer).with_state(api.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        api
    }

    /// A kubeconfig that leads here.
    pub(crate) fn kubeconfig(&self, directory: &std::path::Path) -> std::path::PathBuf {
        let path = directory.join("kubeconfig");
        std::fs::write(&path, kubeconfig(&format!("http://{}", self.address))).unwrap();
        path
    }

    /// Creates or replaces an object.
    pub(crate) fn put(&self, path: &str, object: Value) {
        self.shared.lock().unwrap().store.put(path, object);
        self.changed.send_modify(|(change, _)| *change += 1);
    }

    /// Deletes an object.
    pub(crate) fn delete(&self, path: &str, namespace: &str, name: &str) {
        self.shared.lock().unwrap().store.delete(path, namespace, name);
        self.changed.send_modify(|(change, _)| *change += 1);
    }

    /// Ends every watch that is open.
    pub(crate) fn cut(&self) {
        self.changed.send_modify(|(_, cut)| *cut += 1);
    }

    /// The next requests to a path are answered so.
    pub(crate) fn fault(&self, path: &str, faults: impl IntoIterator<Item = Fault>) {
        self.shared.lock().unwrap().faults.entry(path.to_owned()).or_default().extend(faults);
    }

    /// Every request to a path is answered so, until told otherwise.
    pub(crate) fn always(&self, path: &str, fault: Option<Fault>) {
        let mut shared = self.shared.lock().unwrap();
        match fault {
            Some(fault) => drop(shared.always.insert(path.to_owned(), fault)),
            None => drop(shared.always.remove(path)),
        }
    }

    /// Changes anything else.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Shared)) {
        change(&mut self.shared.lock().unwrap());
    }

    /// Requests that had this in them.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.shared.lock().unwrap().requests.iter().filter(|request| request.contains(part)).count()
    }

    /// Puts a Service, its slice with one endpoint, and its export.
    pub(crate) fn export(&self, name: &str) {
        self.put(SERVICES, service(name));
        self.put(SLICES, slice(name, "10.0.0.1"));
        self.put(EXPORTS, json!({"metadata": {"namespace": "demo", "name": name}}));
    }
}

pub(crate) fn kubeconfig(server: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "fake",
        "clusters": [{"name": "fake", "cluster": {"server": server}}],
        "users": [{"name": "fake", "user": {"token": "not-a-secret"}}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
    })
    .to_string()
}

pub(crate) fn service(name: &str) -> Value {
    json!({"metadata": {"namespace": "demo", "name": name},
           "spec": {"clusterIP": "10.96.0.9", "ports": [{"port": 80, "protocol": "TCP"}]}})
}

pub(crate) fn slice(service: &str, address: &str) -> Value {
    json!({"metadata": {"namespace": "demo", "name": format!("{service}-abcde"),
                        "labels": {"kubernetes.io/service-name": service},
                        "managedFields": [{"manager": "kube-controller-manager", "fieldsV1": {"f:x": {}}}]},
           "addressType": "IPv4", "ports": [{"port": 8080, "protocol": "TCP", "name": ""}],
           "endpoints": [{"addresses": [address], "conditions": {"ready": true}, "nodeName": "n",
                          "targetRef": {"kind": "Pod", "name": "p"}}]})
}
