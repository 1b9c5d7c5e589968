//! Servers are killed, stopped and cut off from each other at random while clusters publish and watch. Whatever a
//! client was told stays true. `make torture` does the same for longer.

use multi_cluster_e2e_torture::federation::Plan;
use multi_cluster_e2e_torture::outcome::{Options, run};

/// Its faults are: kill -9 of a server, of all of them, and clients cut off from one.
const SEED: u64 = 1;

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_were_told_stays_true_whatever_happens_to_the_servers() -> anyhow::Result<()> {
    let options = Options { rounds: 3, seed: SEED, plan: Plan::default() };
    let (outcome, _) = run(&options, |line| println!("{line}")).await?;
    assert_eq!(outcome.violations, Vec::<String>::new());
    let counts = outcome.counts;
    assert_eq!(counts.proposed, counts.acknowledged, "a write was forgotten");
    assert!(
        counts.acknowledged > 0 && counts.points > counts.acknowledged,
        "nothing was looked at: {counts:?}"
    );
    Ok(())
}
