use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::apply::fake::{Fake, Wrong, key};

const KUBEADM: &str = include_str!("../../tests/golden/coredns/kubeadm.before");
const KUBEADM_AFTER: &str = include_str!("../../tests/golden/coredns/kubeadm.after");
const OTHER_PORT: &str = include_str!("../../tests/golden/coredns/other-port.before");
const OTHER_PORT_AFTER: &str = include_str!("../../tests/golden/coredns/other-port.after");
const CRLF: &str = include_str!("../../tests/golden/coredns/crlf.before");
const CRLF_AFTER: &str = include_str!("../../tests/golden/coredns/crlf.after");

fn added(corefile: &str, dns: &str) -> Result<String, CorefileError> {
    with_block(corefile, &stub_zone_on(dns.parse().unwrap(), port(corefile)))
}

#[test]
fn a_corefile_gets_the_block_and_loses_it_without_another_change() {
    let golden = [
        (KUBEADM, KUBEADM_AFTER, "10.96.0.53"),
        (OTHER_PORT, OTHER_PORT_AFTER, "fd00::53"),
        (CRLF, CRLF_AFTER, "10.96.0.53"),
    ];
    for (before, after, dns) in golden {
        assert_eq!(added(before, dns).unwrap(), after);
        assert_eq!(added(after, dns).unwrap(), after, "a second time nothing changes");
        assert_eq!(without_block(after).unwrap(), before);
        assert_eq!(without_block(before).unwrap(), before);
    }
}

#[test]
fn another_address_replaces_the_block_where_it_is() {
    let moved = added(KUBEADM, "10.96.0.1").unwrap() + "other.example {\n    forward . 10.0.0.1\n}\n";
    let after = added(&moved, "10.96.0.53").unwrap();
    assert_eq!(after, moved.replace("10.96.0.1\n", "10.96.0.53\n"));
    assert_eq!(
        without_block(&after).unwrap(),
        format!("{KUBEADM}other.example {{\n    forward . 10.0.0.1\n}}\n")
    );
}

#[test]
fn somebody_elses_stub_zone_is_an_error_that_names_its_line() {
    let stanzas = [
        "clusterset.local:53",
        "svc.ClusterSet.Local.",
        "dns://clusterset.local:53",
        "a.example, clusterset.local",
    ];
    for stanza in stanzas {
        let corefile = format!("{KUBEADM}{stanza} {{\n    forward . 10.0.0.1\n}}\n");
        let error = added(&corefile, "10.96.0.53").unwrap_err();
        let CorefileError::Taken { line, .. } = error else { panic!("{stanza}: {error}") };
        assert_eq!(line, KUBEADM.lines().count() + 1, "{stanza}");
        assert!(error.to_string().contains("remove that stanza"));
    }
    let plugin = KUBEADM.replace("    loop\n", "    multicluster clusterset.local\n");
    assert!(matches!(added(&plugin, "10.96.0.53"), Err(CorefileError::Taken { .. })));
    // In a comment, or as a part of another name, it is nobody's.
    let harmless =
        KUBEADM.replace("    loop\n", "    # clusterset.local\n    rewrite name a.notclusterset.local b\n");
    assert!(added(&harmless, "10.96.0.53").is_ok());
    // Below our own block the line is still that of the file.
    let below = format!("{KUBEADM_AFTER}clusterset.local {{\n}}\n");
    let Err(CorefileError::Taken { line, .. }) = added(&below, "10.96.0.53") else { panic!("not seen") };
    assert_eq!(line, KUBEADM_AFTER.lines().count() + 1);
}

#[test]
fn a_corefile_that_a_person_must_look_at_is_left_alone() {
    let odd = [
        (".:53 {\n    errors\n", CorefileError::Braces { line: 3 }),
        (".:53 {\n}\n}\n", CorefileError::Braces { line: 3 }),
        (".:53 {\n    log \"x\n}\n", CorefileError::OpenQuote { line: 2 }),
        (".\nerrors\nforward . 10.0.0.1\n", CorefileError::NoBraces),
        ("# BEGIN isthmus\n.:53 {\n}\n", CorefileError::Markers { line: 1 }),
        (".:53 {\n}\n# END isthmus\n", CorefileError::Markers { line: 3 }),
        ("# BEGIN isthmus\n# BEGIN isthmus\n# END isthmus\n", CorefileError::Markers { line: 2 }),
    ];
    for (corefile, error) in odd {
        assert_eq!(added(corefile, "10.96.0.53"), Err(error), "{corefile}");
    }
}

#[test]
fn reload_counts_where_it_is_a_plugin() {
    assert!(has_reload(KUBEADM) && has_reload(CRLF));
    assert!(!has_reload(OTHER_PORT));
    assert!(!has_reload(".:53 {\n    # reload\n    forward . reload\n}\n"));
    assert!(
        !has_reload(".:53 {\n    health {\n        reload\n    }\n}\n"),
        "that is an option of another plugin"
    );
}

proptest! {
    #[test]
    fn what_is_put_in_comes_out_again(lines in prop::collection::vec("[ a-z#.:\"{}\\\\]{0,12}", 0..12), crlf: bool, end: bool) {
        let mut text = lines.join(if crlf { "\r\n" } else { "\n" });
        if end {
            text.push('\n');
        }
        if let Ok(with) = added(&text, "10.96.0.53") {
            prop_assert_eq!(&without_block(&with).unwrap(), &text);
            prop_assert_eq!(&added(&with, "10.96.0.53").unwrap(), &with);
            prop_assert!(with.contains("clusterset.local:"));
        }
        let _ = (has_reload(&text), port(&text));
    }
}

fn cluster(corefile: &str) -> Fake {
    let fake = Fake::new();
    fake.edit(|store| {
        store.put(
            &key("configmaps", "kube-system/coredns"),
            json!({"data": {"Corefile": corefile, "other": "kept"}}),
        );
        store
            .put(&key("deployments", "kube-system/coredns"), json!({"spec": {"template": {"metadata": {}}}}));
    });
    fake
}

fn corefile(fake: &Fake) -> Value {
    fake.edit(|store| store.get(&key("configmaps", "kube-system/coredns")).unwrap()["data"].clone())
}

#[tokio::test(start_paused = true)]
async fn a_cluster_with_reload_is_only_edited() {
    let fake = cluster(KUBEADM);
    let (client, dns) = (fake.client(), "10.96.0.53".parse().unwrap());
    let edited = apply(&client, dns, Roll::IfNeeded).await.unwrap();
    assert_eq!(edited, Edited { change: Change::Added, restart: Restart::ByItself });
    assert_eq!(corefile(&fake), json!({"Corefile": KUBEADM_AFTER, "other": "kept"}));
    fake.forget_calls();
    let edited = apply(&client, dns, Roll::IfNeeded).await.unwrap();
    assert_eq!(edited.to_string(), "the Corefile is as it should be already");
    assert!(fake.calls().iter().all(|call| call.method == Method::GET));
    assert_eq!(remove(&client, Roll::IfNeeded).await.unwrap().change, Change::Removed);
    assert_eq!(corefile(&fake)["Corefile"], KUBEADM);
    assert_eq!(remove(&client, Roll::IfNeeded).await.unwrap().change, Change::None);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_without_reload_is_restarted_once_even_if_that_failed_before() {
    let fake = cluster(OTHER_PORT);
    let (client, dns) = (fake.client(), "fd00::53".parse().unwrap());
    assert_eq!(
        remove(&client, Roll::IfNeeded).await.unwrap(),
        Edited { change: Change::None, restart: Restart::None }
    );
    fake.fail("deployments", 1, Wrong::Says(403, r#"{"message":"no"}"#.into(), None));
    let error = apply(&client, dns, Roll::IfNeeded).await.unwrap_err();
    assert_eq!(error.to_string(), "the API server refused to read Deployment kube-system/coredns (403): no");
    assert_eq!(
        apply(&client, dns, Roll::IfNeeded).await.unwrap(),
        Edited { change: Change::None, restart: Restart::Rolled }
    );
    assert_eq!(
        apply(&client, dns, Roll::IfNeeded).await.unwrap(),
        Edited { change: Change::None, restart: Restart::None }
    );
    let removed = remove(&client, Roll::IfNeeded).await.unwrap();
    assert_eq!(removed, Edited { change: Change::Removed, restart: Restart::Rolled });
    assert!(removed.to_string().contains("replaced one after the other"));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_want_to_wait_for_a_reload_has_one_restart_for_each_corefile() {
    let fake = cluster(KUBEADM);
    let (client, dns) = (fake.client(), "10.96.0.53".parse().unwrap());
    assert_eq!(apply(&client, dns, Roll::Always).await.unwrap().restart, Restart::Rolled);
    assert_eq!(apply(&client, dns, Roll::Always).await.unwrap().restart, Restart::None);
    assert_eq!(remove(&client, Roll::Always).await.unwrap().restart, Restart::Rolled);
}

#[tokio::test(start_paused = true)]
async fn a_writer_beside_us_loses_nothing() {
    let fake = cluster(KUBEADM);
    fake.fail("configmaps", 0, Wrong::Hangs);
    fake.slow(std::time::Duration::from_millis(10));
    let (client, other) = (fake.client(), fake.clone());
    let beside = async move {
        tokio::time::sleep(std::time::Duration::from_millis(15)).await;
        let path = key("configmaps", "kube-system/coredns");
        other.edit(|store| store.change(&path, |value| value["data"]["Corefile"] = OTHER_PORT.into()));
    };
    let (edited, ()) = tokio::join!(apply(&client, "fd00::53".parse().unwrap(), Roll::IfNeeded), beside);
    assert_eq!(edited.unwrap().change, Change::Added);
    assert_eq!(corefile(&fake)["Corefile"], OTHER_PORT_AFTER);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_without_coredns_is_told_what_to_do() {
    let error =
        apply(&Fake::new().client(), "10.96.0.53".parse().unwrap(), Roll::IfNeeded).await.unwrap_err();
    assert!(error.to_string().contains("isthmus-agent coredns print"), "{error}");
}
