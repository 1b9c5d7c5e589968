//! The chart gives the agent exactly the rights of `agent_kubernetes::permissions::RULES`: rendered by a real helm, and
//! compared rule by rule. helm is that of `deploy/setup/kubernetes.sh`, or what `ISTHMUS_HELM` names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use agent_kubernetes::permissions::{RULES, Scope};
use anyhow::{Context, ensure};
use serde::Deserialize;

/// One verb on one resource: scope, API group, resource, object, verb.
type Right = (Scope, String, String, Option<String>, String);

#[derive(Deserialize)]
struct Object {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    #[serde(default)]
    resource_names: Vec<String>,
    verbs: Vec<String>,
}

impl Rule {
    fn rights(&self, scope: Scope) -> Vec<Right> {
        let names: Vec<Option<String>> = if self.resource_names.is_empty() {
            vec![None]
        } else {
            self.resource_names.iter().cloned().map(Some).collect()
        };
        let mut rights = Vec::new();
        for group in &self.api_groups {
            for resource in &self.resources {
                for name in &names {
                    for verb in &self.verbs {
                        rights.push((scope, group.clone(), resource.clone(), name.clone(), verb.clone()));
                    }
                }
            }
        }
        rights
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn helm() -> anyhow::Result<PathBuf> {
    if let Some(helm) = std::env::var_os("ISTHMUS_HELM") {
        return Ok(helm.into());
    }
    let script = root().join("deploy/setup/kubernetes.sh");
    let said = Command::new(&script).arg("helm").output().context("cannot run deploy/setup/kubernetes.sh")?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    Ok(Path::new(String::from_utf8(said.stdout)?.trim()).join("helm"))
}

fn rendered(values: &str) -> anyhow::Result<Vec<Object>> {
    let chart = root().join("deploy/chart");
    let mut command = Command::new(helm()?);
    command.args(["template", "isthmus", "--namespace", "isthmus-system", "--values"]);
    let said = command.arg(chart.join("ci").join(values)).arg(&chart).output().context("cannot run helm")?;
    ensure!(said.status.success(), "helm: {}", String::from_utf8_lossy(&said.stderr));
    let text = String::from_utf8(said.stdout)?;
    let documents = text.split("\n---").filter(|document| document.contains("kind:"));
    documents.map(|document| Ok(serde_saphyr::from_str(document.trim_start_matches("---"))?)).collect()
}

fn rights_in(objects: &[Object]) -> BTreeSet<Right> {
    let scope = |object: &Object| match (object.kind.as_str(), object.metadata.namespace.as_deref()) {
        ("ClusterRole", _) => Some(Scope::Cluster),
        ("Role", Some("kube-system")) => Some(Scope::KubeSystem),
        ("Role", Some("isthmus-system")) => Some(Scope::OwnNamespace),
        _ => None,
    };
    let of = |object: &Object| {
        let scope = scope(object)?;
        Some(object.rules.iter().flat_map(move |rule| rule.rights(scope)).collect::<Vec<_>>())
    };
    objects.iter().filter_map(of).flatten().collect()
}

fn wanted(with_core_dns: bool) -> BTreeSet<Right> {
    let rules = RULES.iter().filter(|rule| with_core_dns || rule.scope != Scope::KubeSystem);
    let of = |rule: &'static agent_kubernetes::permissions::Rule| {
        rule.verbs.iter().map(|verb| {
            let name = rule.name.map(str::to_owned);
            (rule.scope, rule.group.to_owned(), rule.resource.to_owned(), name, (*verb).to_owned())
        })
    };
    rules.flat_map(of).collect()
}

#[test]
fn the_chart_gives_the_agent_exactly_what_it_uses() -> anyhow::Result<()> {
    let objects = rendered("agent-values.yaml")?;
    // The hook's own account, besides what the table has for it, reads one Service, which the agent may as well.
    let hook = |object: &&Object| {
        object.metadata.name == "isthmus-coredns"
            && object.metadata.namespace.as_deref() == Some("isthmus-system")
    };
    let of_hook: BTreeSet<Right> =
        objects.iter().filter(hook).flat_map(|object| rights_in(std::slice::from_ref(object))).collect();
    let dns = (
        Scope::OwnNamespace,
        String::new(),
        "services".to_owned(),
        Some("isthmus-dns".to_owned()),
        "get".to_owned(),
    );
    assert_eq!(of_hook, BTreeSet::from([dns.clone()]));

    let mut given = rights_in(&objects);
    given.remove(&dns);
    let wanted = wanted(true);
    let (missing, needless): (Vec<_>, Vec<_>) =
        (wanted.difference(&given).collect(), given.difference(&wanted).collect());
    assert!(missing.is_empty(), "the chart does not give: {missing:#?}");
    assert!(needless.is_empty(), "the chart gives what nobody uses: {needless:#?}");
    Ok(())
}

#[test]
fn who_manages_coredns_gives_no_right_in_kube_system() -> anyhow::Result<()> {
    let given = rights_in(&rendered("print-values.yaml")?);
    assert_eq!(given, wanted(false));
    Ok(())
}

#[test]
fn gateways_and_servers_have_no_right_at_all() -> anyhow::Result<()> {
    assert_eq!(rights_in(&rendered("server-values.yaml")?), BTreeSet::new());
    let objects = rendered("full-values.yaml")?;
    let binds = |object: &&Object| object.kind.ends_with("Binding");
    let bound: BTreeSet<&str> =
        objects.iter().filter(binds).map(|object| object.metadata.name.as_str()).collect();
    assert_eq!(bound, BTreeSet::from(["isthmus-agent", "isthmus-coredns"]));
    Ok(())
}
