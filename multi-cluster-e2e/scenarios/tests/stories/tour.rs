//! The tour that every user can make passes, and with Envoy.

use multi_cluster_e2e_lab::check::{Tour, run};

#[tokio::test(flavor = "multi_thread")]
async fn every_step_sees_what_was_promised() -> anyhow::Result<()> {
    let tell = |report: &multi_cluster_e2e_lab::check::Report| {
        println!("{report}");
        Ok(())
    };
    let passed = run(&Tour { require_envoy: true }, &|line| println!("{line}"), tell).await?;
    assert!(passed, "the last line above is the step that failed");
    Ok(())
}
