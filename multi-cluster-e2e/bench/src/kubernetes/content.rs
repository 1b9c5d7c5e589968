//! The objects that are written: what a user and Kubernetes' own controllers would.

use std::fmt::Write;

use serde_json::{Value, json};

/// The namespace of everything, in every cluster.
pub(super) const NAMESPACE: &str = "bench";
/// The port of every service.
pub(super) const PORT: u16 = 80;

/// The port of every endpoint.
pub(super) const TARGET_PORT: u16 = 8_080;

/// One service of `west`, as it stands.
#[derive(Debug, Clone)]
pub(super) struct Service {
    /// Its name.
    pub(super) name: String,
    number: usize,
    /// Readiness of each endpoint.
    endpoints: Vec<bool>,
}

/// So many services with so many endpoints together.
pub(super) fn services(count: usize, endpoints: usize) -> Vec<Service> {
    let each = |number| endpoints / count + usize::from(number < endpoints % count);
    (0..count).map(|number| Service::new(format!("s{number}"), number, each(number))).collect()
}

/// So many more, of one endpoint each.
pub(super) fn more(prefix: &str, count: usize) -> Vec<Service> {
    (0..count).map(|number| Service::new(format!("{prefix}{number}"), number, 1)).collect()
}

impl Service {
    fn new(name: String, number: usize, endpoints: usize) -> Self {
        Self { name, number, endpoints: vec![true; endpoints] }
    }

    /// Endpoints that are ready.
    pub(super) fn ready(&self) -> usize {
        self.endpoints.iter().filter(|ready| **ready).count()
    }

    /// Makes the first endpoint ready if it is not, and not if it is.
    pub(super) fn flip_one(&mut self) {
        if let Some(first) = self.endpoints.first_mut() {
            *first = !*first;
        }
    }

    /// The Service.
    pub(super) fn service(&self) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": self.metadata(&self.name),
            "spec": {"ports": [{"name": "http", "port": PORT, "appProtocol": "http", "targetPort": TARGET_PORT}]},
        })
    }

    /// Its EndpointSlice.
    pub(super) fn slice(&self) -> Value {
        let mut metadata = self.metadata(&self.slice_name());
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("labels".to_owned(), json!({"kubernetes.io/service-name": self.name}));
        }
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata,
            "addressType": "IPv4", "ports": [{"name": "http", "port": TARGET_PORT, "protocol": "TCP"}],
            "endpoints": self.endpoints(),
        })
    }

    /// What a patch of the slice says.
    pub(super) fn endpoints(&self) -> Value {
        let endpoint = |(index, ready): (usize, &bool)| {
            let address = format!("10.{}.{}.{}", 1 + self.number / 250, self.number % 250, index % 250 + 1);
            json!({"addresses": [address], "conditions": {"ready": ready}})
        };
        self.endpoints.iter().enumerate().map(endpoint).collect()
    }

    /// The name of its EndpointSlice.
    pub(super) fn slice_name(&self) -> String {
        format!("{}-x", self.name)
    }

    /// Its ServiceExport.
    pub(super) fn export(&self) -> Value {
        json!({
            "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport",
            "metadata": self.metadata(&self.name),
        })
    }

    fn metadata(&self, name: &str) -> Value {
        json!({"name": name, "namespace": NAMESPACE})
    }

    /// The file by which `south` exports the service too, with one endpoint.
    pub(super) fn south_yaml(&self) -> String {
        let name = &self.name;
        let mut yaml = String::new();
        let _infallible = write!(
            yaml,
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\n\
             spec: {{ports: [{{name: http, port: {PORT}, appProtocol: http}}]}}\n---\n\
             apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{name: {name}-x, namespace: {NAMESPACE}, labels: {{kubernetes.io/service-name: {name}}}}}\n\
             addressType: IPv4\nports: [{{name: http, port: 8080, protocol: TCP}}]\n\
             endpoints: [{{addresses: [\"10.200.0.1\"]}}]\n---\n\
             apiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceExport\n\
             metadata: {{name: {name}, namespace: {NAMESPACE}}}\n"
        );
        yaml
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_spread_over_the_services_and_flip_one_by_one() {
        let mut made = services(300, 4_000);
        assert_eq!(made.iter().map(Service::ready).sum::<usize>(), 4_000);
        made[0].flip_one();
        assert_eq!(made[0].ready(), 13);
        assert_eq!(made[0].endpoints()[0]["conditions"]["ready"], false);
        made[0].flip_one();
        assert_eq!(made[0].ready(), 14);
    }
}
