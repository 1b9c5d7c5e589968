//! A data directory that belongs to somebody else, or was written by a newer version: exit 74, and nothing is lost.

use multi_cluster_e2e_scenarios::{answered, run_daemon, small_lab};

#[tokio::test(flavor = "multi_thread")]
async fn daemons_refuse_a_directory_that_is_not_theirs() -> anyhow::Result<()> {
    let lab = small_lab().await?;
    // The agent of east is pointed at the data of west.
    lab.stop("east-agent", false).await?;
    lab.stop("west-agent", false).await?;
    let [east, west] = ["east", "west"].map(|name| lab.layout().cluster(name));
    let config = std::fs::read_to_string(east.join("agent.toml"))?;
    let data = |dir: &std::path::Path| dir.join("data").display().to_string();
    let wrong = lab.layout().root().join("wrong.toml");
    std::fs::write(&wrong, config.replace(&data(&east), &data(&west)))?;
    let ended = run_daemon("isthmus-agent", &wrong).await?;
    assert_eq!(ended.code, Some(74), "{}", ended.said());
    assert!(ended.said().contains("west"), "{}", ended.said());

    // A server is given another number than its data has.
    lab.stop("server-1", false).await?;
    let config = std::fs::read_to_string(lab.layout().server(1).join("server.toml"))?;
    std::fs::write(&wrong, config.replace("id = 1\n", "id = 2\n"))?;
    let ended = run_daemon("isthmus-server", &wrong).await?;
    assert_eq!(ended.code, Some(74), "{}", ended.said());

    // Both are shown what a later version might have written.
    let newer = [
        (
            "isthmus-server",
            lab.layout().server(1),
            "server.toml",
            "data/isthmus-server",
            "format 99\nwhatever\n",
        ),
        ("isthmus-agent", lab.layout().cluster("east"), "agent.toml", "data/agent.json", "{\"version\": 99}"),
    ];
    for (daemon, dir, config, marker, text) in newer {
        let marker = dir.join(marker);
        let before = std::fs::read(&marker)?;
        std::fs::write(&marker, text)?;
        let ended = run_daemon(daemon, &dir.join(config)).await?;
        assert_eq!(ended.code, Some(74), "{}", ended.said());
        assert!(ended.said().contains("99"), "{}", ended.said());
        assert_eq!(
            std::fs::read_to_string(&marker)?,
            text,
            "{daemon} wrote into a directory of a later version"
        );
        std::fs::write(&marker, before)?;
    }

    for name in ["server-1", "east-agent", "west-agent"] {
        lab.start(name).await?;
    }
    assert_eq!(answered(&lab, "east", "echo").await?, "west", "the data was harmed");
    lab.down().await
}
