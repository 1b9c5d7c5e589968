//! The clusters' YAML: ordinary Kubernetes objects, one file per service, for the user to edit.

use std::fmt::Write;
use std::net::SocketAddr;

use federation_model::ClusterId;

use crate::samples::{NAMESPACE, Offer, Sample};
use crate::topology::{ClusterPlace, SERVICE_PORT};

/// One endpoint of a service, as its EndpointSlice lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodEntry {
    /// The pod's name, and its host name.
    pub name: String,
    /// Where it listens. All pods of one service use the same port.
    pub address: SocketAddr,
    /// Its condition `ready`.
    pub ready: bool,
}

/// One service's file: Service, EndpointSlice and, if it is exported, ServiceExport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceManifest {
    /// Its name.
    pub name: String,
    /// Whether `clusterIP` is `None`.
    pub headless: bool,
    /// To whom it is exported.
    pub offer: Offer,
    /// Annotations of the ServiceExport besides the scope.
    pub annotations: Vec<(String, String)>,
    /// Who serves it.
    pub pods: Vec<PodEntry>,
    /// The zone of its pods.
    pub zone: String,
}

impl ServiceManifest {
    /// A sample as its cluster's file shows it: all pods ready.
    pub fn of_sample(cluster: &ClusterPlace, sample: &Sample) -> Self {
        let pods = cluster.backends_of(sample.name).map(|backend| PodEntry {
            name: backend.pod.clone(),
            address: backend.address,
            ready: true,
        });
        Self {
            name: sample.name.to_owned(),
            headless: sample.headless,
            offer: sample.offer.clone(),
            annotations: Vec::new(),
            pods: pods.collect(),
            zone: cluster.zone(),
        }
    }

    /// A service of one pod that everybody may import.
    pub fn exported(cluster: &ClusterPlace, name: &str, pod: PodEntry) -> Self {
        Self {
            name: name.to_owned(),
            headless: false,
            offer: Offer::Everyone,
            annotations: Vec::new(),
            pods: vec![pod],
            zone: cluster.zone(),
        }
    }

    /// The same with no pod ready.
    #[must_use]
    pub fn not_ready(mut self) -> Self {
        self.pods.iter_mut().for_each(|pod| pod.ready = false);
        self
    }

    /// The same, offered to `offer`.
    #[must_use]
    pub fn offered(mut self, offer: Offer) -> Self {
        self.offer = offer;
        self
    }

    /// The name of its file.
    pub fn file_name(&self) -> String {
        format!("{}.yaml", self.name)
    }

    /// The YAML.
    pub fn to_yaml(&self) -> String {
        let Self { name, zone, .. } = self;
        let mut yaml = String::from("# Edit and save: the agent picks the change up at once.\n");
        let cluster_ip = if self.headless { "  clusterIP: None\n" } else { "" };
        // The target port of a pod is the EndpointSlice's; a lab's pods are processes with ports of their own.
        let target = self.pods.first().map_or(SERVICE_PORT, |pod| pod.address.port());
        put(
            &mut yaml,
            format_args!(
                "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: {NAMESPACE}\nspec:\n{cluster_ip}  \
                 selector:\n    app: {name}\n  ports:\n    - name: http\n      protocol: TCP\n      appProtocol: http\n      \
                 port: {SERVICE_PORT}\n      targetPort: {target}\n---\n"
            ),
        );
        put(
            &mut yaml,
            format_args!(
                "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {name}-lab\n  namespace: {NAMESPACE}\n  \
                 labels:\n    kubernetes.io/service-name: {name}\naddressType: IPv4\nports:\n  - name: http\n    protocol: TCP\n    \
                 port: {target}\n"
            ),
        );
        yaml.push_str(if self.pods.is_empty() { "endpoints: []\n" } else { "endpoints:\n" });
        for pod in &self.pods {
            let (ip, ready, host) = (pod.address.ip(), pod.ready, &pod.name);
            put(
                &mut yaml,
                format_args!(
                    "  - addresses: [\"{ip}\"]\n    hostname: {host}\n    zone: {zone}\n    conditions:\n      ready: {ready}\n"
                ),
            );
        }
        self.put_export(&mut yaml);
        yaml
    }

    fn put_export(&self, yaml: &mut String) {
        let scope = match &self.offer {
            Offer::Private => return,
            Offer::Everyone => None,
            Offer::Only(cluster) => Some(("isthmus.dev/scope".to_owned(), cluster.to_string())),
        };
        let name = &self.name;
        put(
            yaml,
            format_args!(
                "---\napiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceExport\nmetadata:\n  name: {name}\n  \
                 namespace: {NAMESPACE}\n"
            ),
        );
        let annotations: Vec<_> = scope.iter().chain(&self.annotations).collect();
        if !annotations.is_empty() {
            yaml.push_str("  annotations:\n");
        }
        for (key, value) in annotations {
            put(yaml, format_args!("    {key}: \"{value}\"\n"));
        }
    }
}

/// `namespace.yaml`.
pub fn namespace_yaml() -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n")
}

/// Every file of a cluster's directory at first, by name.
pub fn sample_files(cluster: &ClusterPlace, index: usize, clusters: &[ClusterId]) -> Vec<(String, String)> {
    let services = crate::samples::samples(index, clusters);
    let services = services.iter().map(|sample| ServiceManifest::of_sample(cluster, sample));
    let files = services.map(|service| (service.file_name(), service.to_yaml()));
    std::iter::once(("namespace.yaml".to_owned(), namespace_yaml())).chain(files).collect()
}

/// Writing to a `String` cannot fail.
fn put(yaml: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = yaml.write_fmt(text);
}
