//! The ports that gateways listen at for imports, kept over restarts: `egress-ports.json` of the data directory.
//!
//! A file that cannot be used is no reason not to serve: what the cluster's derived slices say is taken over then.

use std::path::PathBuf;
use std::sync::Arc;

use agent_plan::EgressPorts;
use agent_plan::egress_ports::{PortRange, Saved};
use federation_kit::drain::DrainWatcher;
use federation_kit::exit::chain;
use federation_kit::files;
use tokio::sync::watch;

use super::data_dir::{DataDir, read_json};

const FILE: &str = "egress-ports.json";

/// The ports of the last run; none if there was none. Blocks on the disk.
pub fn load(data: &DataDir, range: PortRange) -> Option<EgressPorts> {
    match read_json::<Saved>(&data.file(FILE)) {
        Ok(saved) => saved.map(|saved| EgressPorts::restore(range, saved)),
        Err(error) => {
            tracing::error!(error = %chain(&error), "ports of the last run not known: those of the derived slices count");
            None
        }
    }
}

/// Writes every change, off the way from a change to the gateways, until the drain; then the last one. What a crash
/// comes in between of is chosen alike by the next run, by its hash or by the derived slices.
pub async fn keep(data: Arc<DataDir>, mut changes: watch::Receiver<Option<Saved>>, drain: DrainWatcher) {
    loop {
        let draining = tokio::select! {
            changed = changes.changed() => changed.is_err(),
            () = drain.wait() => true,
        };
        // Cloned before it is awaited: a borrow would hold up the planner.
        let saved = if changes.has_changed().unwrap_or(true) || !draining {
            changes.borrow_and_update().clone()
        } else {
            None
        };
        if let Some(saved) = saved {
            write(data.file(FILE), saved).await;
        }
        if draining {
            return;
        }
    }
}

async fn write(path: PathBuf, saved: Saved) {
    let written = tokio::task::spawn_blocking(move || {
        let bytes = serde_json::to_vec(&saved).map_err(std::io::Error::from)?;
        files::write_atomic(&path, &bytes, 0o600).map_err(std::io::Error::other)
    });
    match written.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(error = %chain(&error), "ports of the gateways not saved"),
        Err(error) => tracing::error!(%error, "ports of the gateways not saved"),
    }
}

#[cfg(test)]
mod tests {
    use federation_kit::drain::channel;
    use federation_kit::testing::eventually;

    use super::*;

    const LONG: std::time::Duration = std::time::Duration::from_secs(30);

    #[tokio::test]
    async fn ports_are_the_same_in_the_next_run_and_damage_is_no_obstacle() {
        let root = tempfile::tempdir().unwrap();
        let data = DataDir::open(root.path(), &"lab".parse().unwrap(), &"east".parse().unwrap()).unwrap();
        let data = Arc::new(data);
        let range = PortRange::default();
        assert!(load(&data, range).is_none());

        let mut ports = EgressPorts::new(range);
        let (changes, seen) = watch::channel(None);
        let (trigger, drain) = channel();
        let task = tokio::spawn(keep(Arc::clone(&data), seen, drain));
        ports.assign(["demo/echo:80".parse().unwrap()]);
        changes.send_replace(Some(ports.save()));
        eventually(LONG, async || load(&data, range)).await.unwrap();
        ports.assign(["demo/echo:80".parse().unwrap(), "demo/echo:443".parse().unwrap()]);
        changes.send_replace(Some(ports.save()));
        trigger.drain(LONG).await;
        task.await.unwrap();
        assert_eq!(
            load(&data, range).unwrap().ports(),
            ports.ports(),
            "the last change is written at the end"
        );

        for damaged in ["{", r#"{"version": 9, "ports": {}}"#] {
            std::fs::write(data.file(FILE), damaged).unwrap();
            assert!(load(&data, range).is_none(), "{damaged}");
        }
    }
}
