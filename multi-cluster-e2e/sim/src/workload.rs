//! What people and clusters do meanwhile: they change what they export, and make join tokens.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use federation_model::{ClusterId, Command, ExportScope, ServiceId, TokenHash, UnixMillis};

use crate::agent;
use crate::scene::Scene;

/// Services that clusters export; all clusters the same names, so that they share VIPs.
const SERVICES: [&str; 4] = ["demo/a", "demo/b", "demo/c", "demo/d"];

/// Changes what clusters export, for ever.
pub async fn agents(scene: &Scene, pace: (u64, u64)) -> Infallible {
    let clusters = scene.clusters();
    let mut version = 0;
    loop {
        let (low, high) = pace;
        tokio::time::sleep(scene.chance.millis(low, high)).await;
        let cluster = usize::try_from(scene.chance.number(0, clusters.len() as u64 - 1)).unwrap_or_default();
        let Some(service) = scene.chance.pick(&SERVICES).and_then(|name| name.parse::<ServiceId>().ok())
        else {
            continue;
        };
        version += 1;
        let ends = scene.chance.permille(200);
        let scope = scope(scene, &clusters);
        scene.desire(cluster, |cluster, desired| {
            if ends {
                desired.exports.remove(&service);
            } else {
                let key = (service.clone(), cluster.clone(), version);
                scene.oracle.history().meant.insert(key, scope.clone());
                let export = agent::export(cluster, &service, version, scope);
                desired.exports.insert(service, Arc::new(export));
            }
        });
    }
}

fn scope(scene: &Scene, clusters: &[ClusterId]) -> ExportScope {
    if scene.chance.permille(500) {
        return ExportScope::All;
    }
    let named: BTreeSet<ClusterId> =
        clusters.iter().filter(|_| scene.chance.permille(400)).cloned().collect();
    ExportScope::Clusters(named)
}

/// Makes join tokens at any server, for ever, one after the other.
pub async fn operator(scene: &Scene) -> Infallible {
    let mut number = 0_u64;
    loop {
        tokio::time::sleep(scene.chance.millis(50, 1_500)).await;
        let nodes: Vec<_> = scene.nodes().values().cloned().collect();
        let (Some(node), Some(cluster)) = (scene.chance.pick(&nodes), scene.clusters().first().cloned())
        else {
            continue;
        };
        number += 1;
        let mut hash = TokenHash([0; 32]);
        for (byte, digit) in hash.0.iter_mut().zip(number.to_be_bytes()) {
            *byte = digit;
        }
        let expires = UnixMillis(u64::MAX);
        let asked = node.propose(vec![Command::CreateToken { hash, cluster, expires, by: None }]);
        if let Ok(Ok(committed)) = tokio::time::timeout(Duration::from_secs(5), asked).await {
            scene.oracle.token_acknowledged(hash, committed.revision);
        }
    }
}
