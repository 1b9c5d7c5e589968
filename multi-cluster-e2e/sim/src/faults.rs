//! Makes go wrong what was planned, and right again after a while.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, sleep, sleep_until};

use crate::invariants::Violation;
use crate::plan::Fault;
use crate::scene::Scene;
use crate::world::disk::Speed;
use crate::world::net::{End, Weather};

/// All of them, each at its time; returns at `ends`, whatever is still wrong then.
///
/// # Errors
/// When a server does not start again.
pub async fn all(scene: &Scene, faults: &[(Duration, Fault)], ends: Duration) -> Result<(), Violation> {
    let begun = Instant::now();
    let mut running: FuturesUnordered<_> = faults
        .iter()
        .map(|(at, fault)| async move {
            sleep_until(begun + *at).await;
            scene.oracle.note(format!("fault: {fault:?}"));
            one(scene, fault).await
        })
        .collect();
    let over = sleep_until(begun + ends);
    tokio::pin!(over);
    loop {
        tokio::select! {
            biased;
            () = &mut over => return Ok(()),
            Some(done) = running.next() => done?,
        }
    }
}

async fn one(scene: &Scene, fault: &Fault) -> Result<(), Violation> {
    match *fault {
        Fault::Crash { server, down } => {
            let server = scene.members.nth(server);
            scene.crash(server).await;
            scene.start_after(server, down).await?;
        }
        Fault::CrashLeader { down } => {
            if let Some(leader) = scene.leader() {
                scene.crash(leader).await;
                scene.start_after(leader, down).await?;
            }
        }
        Fault::CrashAll { down } => {
            for server in 0..scene.server_count() {
                scene.crash(server).await;
            }
            sleep(down).await;
            for server in 0..scene.server_count() {
                scene.start(server).await?;
            }
        }
        Fault::Squeeze { lasts, down } => squeeze(scene, lasts, down).await?,
        Fault::Partition { servers, clusters, lasts } => {
            let (near, far): (Vec<End>, Vec<End>) =
                ends(scene).into_iter().partition(|end| is_near(*end, servers, clusters));
            let pairs: Vec<(End, End)> =
                near.iter().flat_map(|near| far.iter().map(|far| (*near, *far))).collect();
            for (near, far) in &pairs {
                scene.net.cut(*near, *far);
                scene.net.cut(*far, *near);
            }
            sleep(lasts).await;
            for (near, far) in pairs {
                scene.net.mend(near, far);
                scene.net.mend(far, near);
            }
        }
        Fault::OneWay { from, to, lasts } => {
            let (from, to) = (server(scene.members.nth(from)), server(scene.members.nth(to)));
            scene.net.cut(from, to);
            sleep(lasts).await;
            scene.net.mend(from, to);
        }
        Fault::Storm { lost, repeated, slow, lasts } => {
            scene.net.set_weather(Weather { lost, repeated, delay: (50, slow * 1_000) });
            sleep(lasts).await;
            scene.net.set_weather(Weather::CALM);
        }
        Fault::SlowDisk { server, lasts } => {
            let server = scene.members.nth(server);
            scene.set_speed(server, Speed::SLOW);
            sleep(lasts).await;
            scene.set_speed(server, Speed::FAST);
        }
        Fault::FullDisk { server, lasts } => {
            let server = scene.members.nth(server);
            scene.set_full(server, true);
            sleep(lasts).await;
            scene.set_full(server, false);
        }
        Fault::Jump { server, millis } => scene.jump(scene.members.nth(server), millis).await,
        Fault::Members(ref change) => scene.members.ask(change.clone()),
        Fault::Rival { cluster } => scene.start_agent(cluster),
        Fault::AgentKilled { cluster } => {
            scene.start_agent(cluster);
            scene.kill_rivals(cluster);
        }
    }
    Ok(())
}

async fn squeeze(scene: &Scene, lasts: Duration, down: Duration) -> Result<(), Violation> {
    let Some(leader) = scene.leader() else { return Ok(()) };
    let mut others = scene.members.present();
    others.retain(|other| *other != leader);
    // Whoever is next to the leader should not be the same in every run.
    let turn = leader % others.len().max(1);
    others.rotate_left(turn);
    let (minority, rest) = others.split_at(others.len() / 2);
    scene.set_speed(leader, Speed::SLOW);
    for other in minority {
        scene.net.cut(server(leader), server(*other));
    }
    sleep(lasts).await;
    scene.crash(leader).await;
    for other in rest {
        scene.crash(*other).await;
    }
    scene.set_speed(leader, Speed::FAST);
    for other in minority {
        scene.net.mend(server(leader), server(*other));
    }
    scene.start(leader).await?;
    sleep(down).await;
    for other in rest {
        scene.start(*other).await?;
    }
    Ok(())
}

fn server(number: usize) -> End {
    End::Server(number as u64 + 1)
}

fn ends(scene: &Scene) -> Vec<End> {
    let servers = (0..scene.server_count()).map(server);
    servers.chain((0..scene.clusters().len()).map(End::Cluster)).collect()
}

fn is_near(end: End, servers: u64, clusters: u64) -> bool {
    match end {
        End::Server(id) => servers >> (id - 1) & 1 == 1,
        End::Cluster(number) => clusters >> number & 1 == 1,
    }
}
