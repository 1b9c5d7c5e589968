//! An API server's life, with real processes.
#![allow(clippy::indexing_slicing, reason = "a test knows the objects that it made itself")]

use std::time::Duration;

use multi_cluster_e2e_kube::audit::AuditEvent;
use multi_cluster_e2e_kube::options::ADMIN;
use multi_cluster_e2e_kube::{ApiServer, Kind, Objects, Options, crds};
use multi_cluster_e2e_lab::process::Status;
use multi_cluster_e2e_lab::process::proc_stat::is_alive;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

fn config_map(namespace: &str, name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": name}, "data": {"key": value},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_objects_over_a_restart_and_says_who_wrote_them() -> anyhow::Result<()> {
    let api = ApiServer::start(Options { audit: true, ..Options::default() }.with_user("nobody")).await?;
    let objects = api.objects().await?;
    objects.apply(config_map("default", "a", "1")).await?;
    let mark = api.audit_mark()?;
    objects.apply(config_map("default", "b", "2")).await?;
    let strangers = Objects::new(api.client("nobody").await?);
    assert!(strangers.apply(config_map("default", "c", "3")).await.is_err(), "RBAC is off");

    api.stop_api().await?;
    assert!(objects.get(Kind::CONFIG_MAP, "default", "a").await.is_err());
    api.start_api().await?;
    let found = objects.get(Kind::CONFIG_MAP, "default", "b").await?.unwrap_or_default();
    assert_eq!(found["data"]["key"], "2");

    let about = |event: &AuditEvent| {
        event.object_ref.as_ref().is_some_and(|o| o.resource == "configmaps" && o.namespace == "default")
    };
    let writes: Vec<_> = api.audit_writes(&mark)?.into_iter().filter(about).collect();
    let brief: Vec<String> = writes.iter().map(AuditEvent::brief).collect();
    assert_eq!(brief, ["patch configmaps default/b 201", "patch configmaps default/c 403"]);
    assert_eq!(writes.iter().map(|w| w.user.username.as_str()).collect::<Vec<_>>(), [ADMIN, "nobody"]);
    api.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_one_does_not_answer_until_it_is_thawed() -> anyhow::Result<()> {
    let api = ApiServer::start(Options::default()).await?;
    let objects = api.objects().await?;
    api.freeze()?;
    let mut asked = tokio::spawn(async move { objects.get(Kind::NAMESPACE, "", "default").await });
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut asked).await.is_err(), "it answered");
    api.thaw()?;
    assert!(asked.await??.is_some());
    api.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn our_crds_are_served_and_controllers_collect_what_is_owned() -> anyhow::Result<()> {
    let api = ApiServer::start(Options::cluster()).await?;
    api.install_crds(&crds::ours()?).await?;
    let objects = api.objects().await?;
    objects.namespace("demo").await?;
    let owner = objects
        .apply(json!({
            "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceImport",
            "metadata": {"namespace": "demo", "name": "echo"},
            "spec": {"type": "ClusterSetIP", "ports": [{"port": 80, "protocol": "TCP"}]},
        }))
        .await?;
    let mut owned = config_map("demo", "owned", "1");
    owned["metadata"]["ownerReferences"] = json!([{
        "apiVersion": owner["apiVersion"], "kind": owner["kind"],
        "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
    }]);
    objects.apply(owned).await?;
    objects.delete(Kind::SERVICE_IMPORT, "demo", "echo").await?;
    let gone = |found: Option<&Value>| found.is_none().then_some(());
    objects.until(Kind::CONFIG_MAP, ("demo", "owned"), PATIENCE, gone).await?;
    objects.delete(Kind::NAMESPACE, "", "demo").await?;
    objects.until(Kind::NAMESPACE, ("", "demo"), PATIENCE, gone).await?;
    api.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_when_it_is_dropped_without_an_end() -> anyhow::Result<()> {
    let api = ApiServer::start(Options::default()).await?;
    let kubeconfig = api.kubeconfig(ADMIN)?;
    // A stopped process is the hardest to end.
    api.freeze()?;
    let processes = api.processes();
    drop(api);
    for (name, status) in processes {
        let Status::Running { pid, started } = status else { anyhow::bail!("{name} did not run") };
        assert!(!is_alive(pid, started), "{name} is left");
    }
    assert!(!kubeconfig.exists());
    Ok(())
}
