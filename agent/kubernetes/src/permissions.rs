//! What the agent's service account must be allowed to do: one table. The chart's roles are compared with it by a test,
//! and `isthmus-agent check` asks the API server about each rule.

use federation_model::Namespace;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};

use crate::connect::Trouble;

/// Questions that are asked at the same time.
const CONCURRENT: usize = 8;

/// One rule: a resource and what is done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Resource, with its subresource: `services/status`.
    pub resource: &'static str,
    /// Verbs.
    pub verbs: &'static [&'static str],
    /// Where.
    pub scope: Scope,
    /// Only the object of this name. `create` cannot be limited by name, so no rule with a name has it.
    pub name: Option<&'static str>,
    /// What for.
    pub why: &'static str,
}

/// Where a rule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// In the whole cluster: a ClusterRole, bound by a ClusterRoleBinding.
    Cluster,
    /// In the agent's own namespace: a Role.
    OwnNamespace,
    /// In `kube-system`, and only where the chart looks after CoreDNS: a Role, of the hook's own service account.
    KubeSystem,
}

/// The Secret in which the agent keeps its identity.
pub const IDENTITY_SECRET: &str = "isthmus-agent";
/// The ConfigMap with the CA of the cluster's own trust domain.
pub const CA_CONFIG_MAP: &str = "isthmus-ca";
/// The Secret with the token to join by.
pub const JOIN_SECRET: &str = "isthmus-join";

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];

/// Every rule.
pub const RULES: &[Rule] = &[
    cluster("", "namespaces", READ, "imports are created only where their namespace exists"),
    cluster("", "nodes", READ, "the addresses of the gateways when their Service is of type NodePort"),
    cluster("", "services", WRITE, "reads what is exported; writes the derived Services of imports"),
    cluster("", "services/status", &["patch"], "the VIP of a derived Service"),
    cluster(
        "discovery.k8s.io",
        "endpointslices",
        WRITE,
        "reads what is exported; writes the slices of imports",
    ),
    cluster("multicluster.x-k8s.io", "serviceexports", READ, "what is exported"),
    cluster("multicluster.x-k8s.io", "serviceexports/status", &["patch"], "the conditions of an export"),
    cluster("multicluster.x-k8s.io", "serviceimports", WRITE, "what is imported"),
    cluster("multicluster.x-k8s.io", "serviceimports/status", &["patch"], "the clusters of an import"),
    cluster("about.k8s.io", "clusterproperties", WRITE, "the names of the cluster and of its clusterset"),
    cluster("events.k8s.io", "events", &["create", "patch"], "tells people what became of their objects"),
    cluster("authentication.k8s.io", "tokenreviews", &["create"], "who a gateway is"),
    own("secrets", &["create"], None, "keeps the agent's identity"),
    own("secrets", &["get", "update", "patch"], Some(IDENTITY_SECRET), "keeps the agent's identity"),
    own("secrets", &["get"], Some(JOIN_SECRET), "the token to join the federation by"),
    own("configmaps", &["create"], None, "tells the gateways which CA the agent has"),
    own(
        "configmaps",
        &["get", "update", "patch"],
        Some(CA_CONFIG_MAP),
        "tells the gateways which CA the agent has",
    ),
    own("services", &["get"], None, "the address of the agent's DNS, for CoreDNS"),
    core_dns("", "configmaps", &["get", "update", "patch"], "the stub zone in CoreDNS's Corefile"),
    core_dns("apps", "deployments", &["get", "patch"], "restarts a CoreDNS that does not reload by itself"),
];

const fn cluster(
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    why: &'static str,
) -> Rule {
    Rule { group, resource, verbs, scope: Scope::Cluster, name: None, why }
}

const fn own(
    resource: &'static str,
    verbs: &'static [&'static str],
    name: Option<&'static str>,
    why: &'static str,
) -> Rule {
    Rule { group: "", resource, verbs, scope: Scope::OwnNamespace, name, why }
}

const fn core_dns(
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    why: &'static str,
) -> Rule {
    Rule { group, resource, verbs, scope: Scope::KubeSystem, name: Some("coredns"), why }
}

/// A verb of a rule that we do not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The rule.
    pub rule: Rule,
    /// The verbs of it that are denied.
    pub verbs: Vec<&'static str>,
}

impl std::fmt::Display for Missing {
    /// `list, watch of discovery.k8s.io/endpointslices in the whole cluster: reads what is exported`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.verbs.join(", "), self.rule)
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.group.is_empty() {
            write!(f, "{}/", self.group)?;
        }
        f.write_str(self.resource)?;
        if let Some(name) = self.name {
            write!(f, " {name}")?;
        }
        let place = match self.scope {
            Scope::Cluster => "the whole cluster",
            Scope::OwnNamespace => "the agent's namespace",
            Scope::KubeSystem => "kube-system",
        };
        write!(f, " in {place}: {}", self.why)
    }
}

/// The rule by which a resource of the whole cluster is read.
pub fn reading(group: &str, resource: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.scope == Scope::Cluster && rule.group == group && rule.resource == resource)
}

/// Asks the API server about every verb of every rule in the whole cluster and in `own`, the agent's namespace, by
/// SelfSubjectAccessReview, which every authenticated user may ask. Rules for CoreDNS are another service account's.
///
/// # Errors
/// When the API server cannot be asked.
pub async fn missing(client: &Client, own: &Namespace) -> Result<Vec<Missing>, Trouble> {
    let asked = RULES.iter().filter(|rule| rule.scope != Scope::KubeSystem);
    let answers = futures::stream::iter(asked.map(|rule| denied(client, own, rule)));
    let all: Vec<Option<Missing>> = answers.buffered(CONCURRENT).try_collect().await?;
    Ok(all.into_iter().flatten().collect())
}

async fn denied(client: &Client, own: &Namespace, rule: &'static Rule) -> Result<Option<Missing>, Trouble> {
    let mut verbs = Vec::new();
    for verb in rule.verbs {
        if !allowed(client, own, rule, verb).await? {
            verbs.push(*verb);
        }
    }
    Ok((!verbs.is_empty()).then_some(Missing { rule: *rule, verbs }))
}

async fn allowed(client: &Client, own: &Namespace, rule: &Rule, verb: &str) -> Result<bool, Trouble> {
    let (resource, subresource) = match rule.resource.split_once('/') {
        Some((resource, sub)) => (resource, Some(sub.to_owned())),
        None => (rule.resource, None),
    };
    let namespace = match rule.scope {
        Scope::Cluster => None,
        Scope::OwnNamespace => Some(own.to_string()),
        Scope::KubeSystem => Some("kube-system".to_owned()),
    };
    let question = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(rule.group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource,
                verb: Some(verb.to_owned()),
                name: rule.name.map(str::to_owned),
                namespace,
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answer = api.create(&PostParams::default(), &question).await.map_err(|error| Trouble::of(&error))?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

#[cfg(test)]
mod tests;
