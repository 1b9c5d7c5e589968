//! `isthmus` against real servers: what it says, and how it exits.

use multi_cluster_e2e_scenarios::{Ended, run, small_lab};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_answers_and_every_failure_has_its_exit_code() -> anyhow::Result<()> {
    let lab = small_lab().await?;
    let servers = lab.topology().api_addresses()[0].to_string();
    let identity = lab.layout().admin().display().to_string();
    let isthmus = async |args: &[&str]| -> anyhow::Result<Ended> {
        run("isthmus", &[&["--servers", &servers, "--identity", &identity], args].concat()).await
    };
    let json = async |args: &[&str]| -> anyhow::Result<Value> {
        let ended = isthmus(&[args, &["-o", "json"]].concat()).await?;
        assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.said());
        Ok(serde_json::from_str(&ended.out)?)
    };

    let status = json(&["status"]).await?;
    assert_eq!((&status["clusterset"], &status["leader"]), (&Value::from("lab"), &Value::from(1)));
    assert_eq!(status["clusters_alive"], 2);
    let clusters = json(&["clusters"]).await?;
    assert_eq!(clusters["clusters"][0]["id"], "east");
    assert_eq!(clusters["clusters"][0]["alive"], true);
    let services = json(&["services"]).await?;
    let names: Vec<&Value> =
        services["services"].as_array().into_iter().flatten().map(|s| &s["name"]).collect();
    assert_eq!(names, ["echo", "peers", "whoami"]);
    let explained = json(&["explain", "whoami.demo", "--from", "east"]).await?;
    assert_eq!(explained["ports"][0]["order"][0]["cluster"], "east");
    assert_eq!(explained["ports"][0]["order"][1]["cluster"], "west");
    let members = json(&["members"]).await?;
    assert_eq!(members["members"][0]["role"], "leader");
    let trust = json(&["trust", "status"]).await?;
    let east = &trust["domains"][0];
    assert_eq!(
        (&east["trust_domain"], &east["clusters"][0]),
        (&Value::from("east.lab"), &Value::from("east"))
    );
    assert_eq!(
        (&east["authorities"][0]["key"], &east["warnings"]),
        (&"ECDSA P-256".into(), &Value::Array(vec![]))
    );
    let token = isthmus(&["token", "create", "--cluster", "north", "--ttl", "1m"]).await?;
    assert!(token.code == Some(0) && token.out.starts_with("isthmus1.north."), "{}", token.said());

    let audit = json(&["audit"]).await?;
    let actions: Vec<&Value> =
        audit["changes"].as_array().into_iter().flatten().map(|change| &change["action"]).collect();
    assert!(actions.contains(&&Value::from("export_added")), "{actions:?}");

    let kept = tempfile::tempdir()?;
    let backup = kept.path().join("catalogue.backup");
    let backup = backup.to_string_lossy();
    let saved = json(&["snapshot", "save", &backup]).await?;
    assert_eq!(saved["clusters"][0]["id"], "east");
    let inspected = json(&["snapshot", "inspect", &backup]).await?;
    assert_eq!(inspected["revision"], saved["revision"]);
    let again = isthmus(&["snapshot", "save", &backup]).await?;
    assert!(again.code == Some(1) && again.err.contains("is there already"), "{}", again.said());

    let expectations: [(&[&str], i32, &str); 3] = [
        (&["explain", "nosuch.demo", "--from", "east"], 5, "nobody exports"),
        (&["explain", "whoami.demo", "--from", "mars"], 5, "no cluster named mars"),
        (&["explain", "whoami", "--from", "east"], 2, "write the namespace too"),
    ];
    for (args, code, words) in expectations {
        let ended = isthmus(args).await?;
        assert_eq!(ended.code, Some(code), "{args:?}: {}", ended.said());
        assert!(ended.err.contains(words), "{args:?}: {}", ended.said());
    }
    lab.stop("server-1", true).await?;
    let gone = isthmus(&["status"]).await?;
    assert_eq!(gone.code, Some(3), "{}", gone.said());
    lab.down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_of_another_clusterset_is_told_so() -> anyhow::Result<()> {
    let lab = small_lab().await?;
    let elsewhere = tempfile::tempdir()?;
    let layout = multi_cluster_e2e_lab::layout::Layout::create(
        &elsewhere.path().join("lab"),
        multi_cluster_e2e_lab::layout::Keep::Yes,
    )?;
    multi_cluster_e2e_lab::ca::create(&layout, &lab.topology().clusterset)?;
    let servers = lab.topology().api_addresses()[0].to_string();
    let foreign = layout.admin().display().to_string();
    let ended = run("isthmus", &["--servers", &servers, "--identity", &foreign, "status"]).await?;
    assert_eq!(ended.code, Some(4), "{}", ended.said());

    // One of our own, who believes the right authority and is signed by the wrong one.
    std::fs::copy(lab.layout().admin().join("ca.pem"), layout.admin().join("ca.pem"))?;
    let ended = run("isthmus", &["--servers", &servers, "--identity", &foreign, "status"]).await?;
    assert_eq!(ended.code, Some(4), "{}", ended.said());
    lab.down().await
}
