//! What people should be told of the controller's objects. Sending it is [`recorder`](super::recorder)'s.
//!
//! Never in the way of a write: a note that finds no room is dropped and counted.

use std::collections::BTreeSet;

use agent_plan::mcs::diff::Foreign;
use agent_plan::mcs::events::{EventContent, EventKind, events, foreign_event};
use agent_plan::mcs::{Action, Object, Observed};
use kube::Client;
use tokio::sync::mpsc;

use super::metrics::Metrics;
use super::recorder::Recorder;
use super::{held, request};

/// Notes that wait to be sent.
const WAITING: usize = 256;

/// Something to tell about an object.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) object: Object,
    pub(super) uid: String,
    /// Where the object is in the API; its version is part of it.
    pub(super) path: String,
    pub(super) what: What,
}

/// What to tell.
#[derive(Debug)]
pub(super) enum What {
    /// This.
    Event(EventContent),
    /// Who else writes the object.
    Rival,
}

/// Where notes are left.
#[derive(Debug)]
pub(super) struct Notes {
    queue: mpsc::Sender<Note>,
    recorder: Option<Recorder>,
    metrics: Metrics,
    /// Objects of others in our way that were told of.
    told: BTreeSet<Foreign>,
}

impl Notes {
    pub(super) fn new(client: Client, metrics: Metrics) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let recorder = Some(Recorder::new(client, waiting, metrics.clone()));
        Self { queue, recorder, metrics, told: BTreeSet::new() }
    }

    /// What sends the notes; to be run once.
    pub(super) fn recorder(&mut self) -> Option<Recorder> {
        self.recorder.take()
    }

    /// A ServiceExport's conditions are about to become others in what is known: they are on disk by now.
    pub(super) fn exported(&mut self, action: &Action, observed: &Observed) {
        let Action::ApplyExportStatus { id, conditions } = action else { return };
        let held = observed.exports.get(id).and_then(|held| held.content.as_ref());
        let before = held.into_iter().flatten().map(|recorded| &recorded.condition);
        for event in events(before, conditions) {
            self.leave(&action.object(), What::Event(event), observed);
        }
    }

    /// Objects of others that are in our way now. Each is told of once, and again after it was gone.
    pub(super) fn foreign(&mut self, foreign: Vec<Foreign>, observed: &Observed) {
        let foreign: BTreeSet<Foreign> = foreign.into_iter().collect();
        let fresh: Vec<Foreign> = foreign.difference(&self.told).cloned().collect();
        for foreign in &fresh {
            self.leave(&foreign.object, What::Event(foreign_event(foreign)), observed);
        }
        self.told = foreign;
    }

    /// How many objects of others are in our way, and the first of them.
    pub(super) fn in_the_way(&self, most: usize) -> Vec<String> {
        self.told.iter().take(most).map(|foreign| foreign.object.to_string()).collect()
    }

    /// Somebody else writes the same object over and over.
    pub(super) fn fight(&mut self, object: &Object, observed: &Observed) {
        self.leave(object, What::Rival, observed);
    }

    /// The API server does not take what we say.
    pub(super) fn refused(&mut self, object: &Object, message: &str, observed: &Observed) {
        let mut message = format!("The API server does not take what this controller writes: {message}");
        crate::call::truncate(&mut message, 1000);
        let event = EventContent { kind: EventKind::Warning, reason: "WriteRefused", message };
        self.leave(object, What::Event(event), observed);
    }

    fn leave(&mut self, object: &Object, what: What, observed: &Observed) {
        let seen = held::seen(observed, object);
        // What could not even be created has no uid; nobody could find an Event about it.
        let (Some(seen), Some(path)) = (seen, request::path(object, &observed.capabilities)) else { return };
        let note = Note { object: object.clone(), uid: seen.uid.to_owned(), path, what };
        if self.queue.try_send(note).is_err() {
            self.metrics.event(false);
        }
    }
}
