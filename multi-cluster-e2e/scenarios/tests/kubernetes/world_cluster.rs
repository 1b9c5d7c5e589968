//! One cluster of a world, and what a person does in it.

use std::net::IpAddr;

use agent_kubernetes::permissions::{RULES, Rule, Scope};
use multi_cluster_e2e_kube::{ApiServer, Kind, Objects};
use multi_cluster_e2e_lab::topology::ClusterPlace;
use multi_cluster_e2e_lab::wait::{Seen, until};
use serde_json::{Value, json};

use crate::world::{DEMO, PATIENCE};

/// Where the agent is installed.
pub(crate) const SYSTEM: &str = "isthmus-system";

/// An API server and the agent beside it.
pub(crate) struct KubeCluster {
    pub(crate) api: ApiServer,
    pub(crate) objects: Objects,
    pub(crate) place: ClusterPlace,
    /// The address that its gateway would have.
    pub(crate) gateway: IpAddr,
}

impl KubeCluster {
    pub(crate) async fn new(api: ApiServer, place: ClusterPlace, gateway: IpAddr) -> anyhow::Result<Self> {
        let objects = api.objects().await?;
        Ok(Self { api, objects, place, gateway })
    }

    /// A Service of port 80 with one ready endpoint.
    pub(crate) async fn service(&self, name: &str) -> anyhow::Result<()> {
        self.service_of(name, json!({"ports": [{"name": "http", "port": 80, "protocol": "TCP"}]})).await
    }

    /// A Service with this spec, and one ready endpoint on port 8080.
    pub(crate) async fn service_of(&self, name: &str, spec: Value) -> anyhow::Result<()> {
        let ports: Vec<Value> = spec["ports"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|port| json!({"name": port["name"], "protocol": "TCP", "port": 8080}))
            .take(100)
            .collect();
        self.objects
            .apply(json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": DEMO, "name": name}, "spec": spec,
            }))
            .await?;
        self.objects
            .apply(json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {
                    "namespace": DEMO, "name": format!("{name}-1"),
                    "labels": {"kubernetes.io/service-name": name, "endpointslice.kubernetes.io/managed-by": "story"},
                },
                "addressType": "IPv4", "ports": ports,
                "endpoints": [{"addresses": ["10.244.0.7"], "conditions": {"ready": true}}],
            }))
            .await
            .map(drop)
    }

    /// Exports a service.
    pub(crate) async fn export(&self, name: &str) -> anyhow::Result<()> {
        self.export_with(name, json!({})).await
    }

    /// Exports a service with a spec.
    pub(crate) async fn export_with(&self, name: &str, spec: Value) -> anyhow::Result<()> {
        self.objects
            .apply(json!({
                "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport",
                "metadata": {"namespace": DEMO, "name": name}, "spec": spec,
            }))
            .await
            .map(drop)
    }

    /// Waits for an import with a VIP; gives it back.
    pub(crate) async fn imported(&self, name: &str) -> anyhow::Result<Value> {
        let has_vip = |found: Option<&Value>| {
            found
                .filter(|import| {
                    import["spec"]["ips"][0].is_string() && !import["status"]["clusters"].is_null()
                })
                .cloned()
        };
        self.objects.until(Kind::SERVICE_IMPORT, (DEMO, name), PATIENCE, has_vip).await
    }

    /// Waits until an object is gone.
    pub(crate) async fn gone(&self, kind: Kind, name: &str) -> anyhow::Result<()> {
        self.objects.until(kind, (DEMO, name), PATIENCE, |found| found.is_none().then_some(())).await
    }

    /// Waits until an export's condition has this status; gives back its reason and message.
    pub(crate) async fn condition(
        &self,
        name: &str,
        kind: &str,
        status: &str,
    ) -> anyhow::Result<(String, String)> {
        let look = |found: Option<&Value>| {
            let conditions = found?["status"]["conditions"].as_array()?;
            let condition = conditions.iter().find(|c| c["type"] == kind && c["status"] == status)?;
            let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
            Some((text("reason"), text("message")))
        };
        self.objects.until(Kind::SERVICE_EXPORT, (DEMO, name), PATIENCE, look).await
    }

    /// The derived Service of an import, if it is there.
    pub(crate) async fn derived(&self, name: &str) -> anyhow::Result<Option<Value>> {
        let selector =
            format!("app.kubernetes.io/managed-by=isthmus,multicluster.kubernetes.io/service-name={name}");
        Ok(self.objects.list(Kind::SERVICE, DEMO, &selector).await?.pop())
    }

    /// The derived Service of an import, once its status carries `vip`.
    pub(crate) async fn carrying(&self, vip: &str, name: &str) -> anyhow::Result<Value> {
        let look = || async {
            let derived = self.derived(name).await?.unwrap_or_default();
            let carries = derived["status"]["loadBalancer"]["ingress"][0]["ip"] == vip;
            Ok(if carries { Seen::Done(derived) } else { Seen::NotYet(derived.to_string()) })
        };
        Ok(until(&format!("the derived Service of {name} to carry {vip}"), PATIENCE, look).await?.0)
    }

    /// The only EndpointSlice with these labels, once there is one.
    pub(crate) async fn slice(&self, labels: &str) -> anyhow::Result<Value> {
        let look = || async {
            let mut found = self.objects.list(Kind::ENDPOINT_SLICE, DEMO, labels).await?;
            Ok(match found.len() {
                1 => Seen::Done(found.remove(0)),
                _ => Seen::NotYet(format!("{found:?}")),
            })
        };
        Ok(until(&format!("one EndpointSlice with {labels}"), PATIENCE, look).await?.0)
    }

    /// A Service and slice as the chart's gateways have them: one ready pod at [`Self::gateway`].
    pub(crate) async fn gateway_pod(&self) -> anyhow::Result<()> {
        let meta = |name: &str| json!({"namespace": SYSTEM, "name": name, "labels": {"kubernetes.io/service-name": "isthmus-gateway"}});
        let ports = json!([{"name": "mtls", "port": 15443, "protocol": "TCP"}]);
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": meta("isthmus-gateway"), "spec": {"ports": ports}});
        self.objects.apply(service).await?;
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta("isthmus-gateway-1"),
            "addressType": "IPv4", "ports": ports,
            "endpoints": [{"addresses": [self.gateway.to_string()], "conditions": {"ready": true}}],
        });
        self.objects.apply(slice).await.map(drop)
    }

    /// Gives the agent the rights of the rules that `kept` keeps, in place of those it had.
    pub(crate) async fn allow(&self, kept: impl Fn(&Rule) -> bool) -> anyhow::Result<()> {
        allow(&self.objects, kept).await
    }
}

/// What every cluster has before its agent starts: namespaces, and the agent's rights, which are exactly its table's.
pub(crate) async fn prepare(objects: &Objects) -> anyhow::Result<()> {
    objects.namespace(SYSTEM).await?;
    objects.namespace(DEMO).await?;
    allow(objects, |_| true).await
}

async fn allow(objects: &Objects, kept: impl Fn(&Rule) -> bool) -> anyhow::Result<()> {
    let rules = |scope: Scope| -> Vec<Value> {
        let chosen = RULES.iter().filter(|rule| rule.scope == scope && kept(rule));
        let to_json = |rule: &Rule| {
            let names: Vec<&str> = rule.name.into_iter().collect();
            json!({"apiGroups": [rule.group], "resources": [rule.resource], "verbs": rule.verbs, "resourceNames": names})
        };
        chosen.map(to_json).collect()
    };
    let subject = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "agent"}]);
    for (kind, namespace, scope) in
        [("ClusterRole", None, Scope::Cluster), ("Role", Some(SYSTEM), Scope::OwnNamespace)]
    {
        let meta = namespace
            .map_or_else(|| json!({"name": "agent"}), |ns| json!({"name": "agent", "namespace": ns}));
        let version = "rbac.authorization.k8s.io/v1";
        let role = json!({"apiVersion": version, "kind": kind, "metadata": meta, "rules": rules(scope)});
        objects.apply(role).await?;
        let reference = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "agent"});
        let binding = format!("{kind}Binding");
        objects
            .apply(json!({"apiVersion": version, "kind": binding, "metadata": meta, "roleRef": reference, "subjects": subject}))
            .await?;
    }
    Ok(())
}
