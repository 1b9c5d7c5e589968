//! One round: faults as planned, then peace, then the check of everything that was ever noted.

use std::time::Duration;

use multi_cluster_e2e_history::{Report, check};
use tokio::time::{Instant, sleep_until};

use crate::fault::{Fault, Planned, Traffic, Way};
use crate::federation::Federation;
use crate::network::End;

/// What is done at a moment.
#[derive(Debug, Clone)]
enum Step {
    Begin(Fault),
    End(Fault),
}

/// Carries out a plan while clients write and watch, lets everything settle, and checks.
///
/// # Errors
/// If a server ends by itself, or the federation does not settle.
pub async fn run(federation: &mut Federation, number: u64, plan: &[Planned]) -> anyhow::Result<Report> {
    federation.write();
    let begun = Instant::now();
    for (after, step) in steps(plan) {
        sleep_until(begun + after).await;
        federation.recorder.note(match &step {
            Step::Begin(fault) => format!("round {number}: {fault}"),
            Step::End(fault) => format!("round {number}: over: {fault}"),
        });
        match step {
            Step::Begin(fault) => begin(federation, fault).await?,
            Step::End(fault) => end(federation, fault).await?,
        }
    }
    federation.settle().await?;
    let history = federation.recorder.history();
    // Checking takes longer the longer it has gone on, and must not hold up the clients.
    Ok(tokio::task::spawn_blocking(move || check(&history)).await?)
}

fn steps(plan: &[Planned]) -> Vec<(Duration, Step)> {
    let both = |planned: &Planned| {
        let Planned { after, lasts, fault } = planned.clone();
        [(after, Step::Begin(fault.clone())), (after + lasts, Step::End(fault))]
    };
    let mut steps: Vec<_> = plan.iter().flat_map(both).collect();
    steps.sort_by_key(|(at, _)| *at);
    steps
}

async fn begin(federation: &mut Federation, fault: Fault) -> anyhow::Result<()> {
    match fault {
        Fault::Kill(servers) => {
            for server in servers {
                federation.servers.kill(server).await?;
            }
        }
        Fault::Restart(server) => {
            // One that another fault has stopped would not hear the signal.
            federation.servers.resume(server).await?;
            federation.servers.stop(server).await?;
            federation.servers.start(server)?;
        }
        Fault::Pause(servers) => {
            for server in servers {
                federation.servers.pause(server).await?;
            }
        }
        Fault::Split { minority, traffic, way } => split(federation, &minority, traffic, way),
        Fault::CutClients { server, traffic } => federation.clients_of(server, traffic),
        Fault::KillAgent(agent) => federation.replace_agent(agent).await?,
    }
    Ok(())
}

async fn end(federation: &mut Federation, fault: Fault) -> anyhow::Result<()> {
    match fault {
        // What is not on the disks of a majority is nowhere now.
        Fault::Kill(servers) if servers.len() == federation.servers.ids().len() => {
            federation.examine().await?;
        }
        Fault::Kill(servers) => {
            servers.into_iter().try_for_each(|server| federation.servers.start(server))?
        }
        Fault::Pause(servers) => {
            for server in servers {
                federation.servers.resume(server).await?;
            }
        }
        Fault::Split { minority, .. } => split(federation, &minority, Traffic::Open, Way::Both),
        Fault::CutClients { server, .. } => federation.clients_of(server, Traffic::Open),
        Fault::Restart(_) | Fault::KillAgent(_) => {}
    }
    Ok(())
}

fn split(federation: &Federation, minority: &std::collections::BTreeSet<u64>, traffic: Traffic, way: Way) {
    for server in federation.servers.ids().into_iter().filter(|server| !minority.contains(server)) {
        for cut in minority {
            let (cut, other) = (End::Server(*cut), End::Server(server));
            if way != Way::In {
                federation.network.set(cut, other, traffic);
            }
            if way != Way::Out {
                federation.network.set(other, cut, traffic);
            }
        }
    }
}
