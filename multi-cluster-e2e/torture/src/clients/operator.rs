//! An operator that reads the whole catalogue of one server.

use federation_model::Revision;
use multi_cluster_e2e_history::{Event, Viewer, WatcherName};

use super::view_notes::Noted;
use crate::recorder::Recorder;
use crate::servers::Servers;

/// Under which the readings of a server's catalogue are noted: its revisions must not go back either.
pub fn reader_of(server: u64) -> WatcherName {
    WatcherName(format!("operator of server {server}"))
}

/// Reads the catalogue of a server, by the server's own address, and notes it as a snapshot if it has reached
/// `revision`; says how far it is.
///
/// # Errors
/// If the server does not answer.
pub async fn read(
    servers: &Servers,
    server: u64,
    revision: Revision,
    recorder: &Recorder,
) -> anyhow::Result<Revision> {
    let view = servers.operator(&[servers.at(server)?.api.real])?.catalog(None).await?.view;
    if view.revision >= revision {
        let watcher = reader_of(server);
        let mut events = vec![
            Event::Connected {
                watcher: watcher.clone(),
                viewer: Viewer::Operator,
                server: format!("server {server}"),
            },
            Event::SnapshotBegan { watcher: watcher.clone() },
        ];
        events.extend(Noted::default().upserts(&Noted::of(&view), &watcher));
        events.push(Event::SnapshotEnded { watcher, revision: view.revision });
        recorder.watched(events);
    }
    Ok(view.revision)
}
