//! The tour that every user can make passes, and with Envoy, wherever the clusters' authorities come from.

use multi_cluster_e2e_lab::check::{Tour, run};
use multi_cluster_e2e_lab::topology::Trust;

#[tokio::test(flavor = "multi_thread")]
async fn every_step_sees_what_was_promised() -> anyhow::Result<()> {
    tour(Trust::Separate).await
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_shared_root_every_step_sees_the_same() -> anyhow::Result<()> {
    tour(Trust::Shared).await
}

async fn tour(trust: Trust) -> anyhow::Result<()> {
    let tell = |report: &multi_cluster_e2e_lab::check::Report| {
        println!("{report}");
        Ok(())
    };
    let passed = run(&Tour { require_envoy: true, trust }, &|line| println!("{line}"), tell).await?;
    assert!(passed, "the last line above is the step that failed");
    Ok(())
}
