//! Short ways to write histories down. All slots are `demo/<name> of west`, and every value is for everybody.

use federation_model::export::ExportScope;
use federation_model::{ClusterId, Revision, ServiceId, Vip};

use crate::event::{Event, Piece, PieceName, Slot, Viewer, WatcherName, Wish, WriteId};
use crate::history::History;

pub(crate) fn service(name: &str) -> ServiceId {
    ServiceId { namespace: "demo".parse().unwrap(), name: name.parse().unwrap() }
}

pub(crate) fn cluster(name: &str) -> ClusterId {
    name.parse().unwrap()
}

pub(crate) fn slot(name: &str) -> Slot {
    Slot { service: service(name), cluster: cluster("west") }
}

fn watcher(name: &str) -> WatcherName {
    WatcherName(name.to_owned())
}

pub(crate) fn put(write: u64, name: &str) -> Event {
    let wish = Wish::Put { scope: ExportScope::All };
    Event::Proposed { write: WriteId(write), slot: slot(name), wish }
}

pub(crate) fn put_for(write: u64, name: &str, viewer: &str) -> Event {
    let wish = Wish::Put { scope: ExportScope::Clusters([cluster(viewer)].into()) };
    Event::Proposed { write: WriteId(write), slot: slot(name), wish }
}

pub(crate) fn remove(write: u64, name: &str) -> Event {
    Event::Proposed { write: WriteId(write), slot: slot(name), wish: Wish::Remove }
}

pub(crate) fn ack(write: u64, revision: u64) -> Event {
    Event::Acknowledged { write: WriteId(write), revision: Some(Revision(revision)) }
}

pub(crate) fn ack_somewhere(write: u64) -> Event {
    Event::Acknowledged { write: WriteId(write), revision: None }
}

pub(crate) fn refuse(write: u64) -> Event {
    Event::Refused { write: WriteId(write), reason: "held_by_another".to_owned() }
}

/// A watcher of the cluster that has its name, or of an operator.
pub(crate) fn connect(name: &str, server: u64) -> Event {
    let viewer = match name {
        "operator" => Viewer::Operator,
        name => Viewer::Cluster(cluster(name)),
    };
    Event::Connected { watcher: watcher(name), viewer, server: format!("server {server}") }
}

pub(crate) fn began(name: &str) -> Event {
    Event::SnapshotBegan { watcher: watcher(name) }
}

pub(crate) fn ended(name: &str, revision: u64) -> Event {
    Event::SnapshotEnded { watcher: watcher(name), revision: Revision(revision) }
}

pub(crate) fn saw(name: &str, write: u64, slot_name: &str) -> Event {
    let piece = Piece::Export { slot: slot(slot_name), write: Some(WriteId(write)) };
    Event::Upserted { watcher: watcher(name), piece }
}

pub(crate) fn saw_vip(name: &str, service_name: &str, last: u8) -> Event {
    let vip = Vip { v4: [240, 240, 0, last].into(), v6: u128::from(last).into() };
    Event::Upserted { watcher: watcher(name), piece: Piece::Vip { service: service(service_name), vip } }
}

pub(crate) fn gone(name: &str, slot_name: &str) -> Event {
    Event::Removed { watcher: watcher(name), name: PieceName::Export(slot(slot_name)) }
}

pub(crate) fn vip_gone(name: &str, service_name: &str) -> Event {
    Event::Removed { watcher: watcher(name), name: PieceName::Vip(service(service_name)) }
}

pub(crate) fn progress(name: &str, revision: u64) -> Event {
    Event::Progressed { watcher: watcher(name), revision: Revision(revision) }
}

pub(crate) fn settled(names: &[&str]) -> Event {
    Event::Settled { watchers: names.iter().map(|name| watcher(name)).collect() }
}

/// A history without a fault, with one of everything.
pub(crate) fn good() -> History {
    let events = vec![
        connect("east", 1),
        began("east"),
        ended("east", 3),
        put(1, "echo"),
        saw_vip("east", "echo", 1),
        saw("east", 1, "echo"),
        progress("east", 5),
        ack(1, 5),
        put(2, "echo"),
        ack(2, 7),
        connect("east", 2),
        saw("east", 2, "echo"),
        progress("east", 7),
        put_for(3, "secret", "north"),
        ack(3, 8),
        progress("east", 9),
        remove(4, "echo"),
        gone("east", "echo"),
        vip_gone("east", "echo"),
        progress("east", 12),
        ack_somewhere(4),
        put(5, "echo"),
        refuse(5),
        connect("operator", 3),
        began("operator"),
        saw_vip("operator", "echo", 1),
        saw_vip("operator", "secret", 2),
        saw("operator", 3, "secret"),
        ended("operator", 12),
        settled(&["east", "operator"]),
        Event::Note { text: "round 1 is over".to_owned() },
    ];
    History { events }
}
