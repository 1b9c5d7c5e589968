//! The loop: watches and input in, writes out.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use agent_plan::mcs::observed::Capabilities;
use agent_plan::mcs::{Action, Input, Observed, desired, diff, foreign};
use federation_kit::drain::DrainWatcher;
use futures::FutureExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Client;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{info, warn};

use super::answer::{Outcome, judge};
use super::metrics::Metrics;
use super::notes::Notes;
use super::request::{Request, Sent, request};
use super::schedule::{AT_ONCE, Notable, Schedule};
use super::status::ApplyStatus;
use super::target::Target;
use super::view::View;
use crate::call;

/// While more writes than this are ready, what the watches say can wait: it is mostly the echo of what was written, and
/// there is enough to do. What the input says never waits.
const ENOUGH: usize = 2 * AT_ONCE;
/// Objects that [`ApplyStatus`] names.
const NAMED: usize = 50;
/// Only the metadata of what was written comes back, where the API server can do that.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// Writes this cluster's MCS objects.
pub struct Controller {
    client: Client,
    observed: watch::Receiver<Arc<Observed>>,
    input: watch::Receiver<Arc<Input>>,
    view: View,
    schedule: Schedule,
    writes: JoinSet<Ended>,
    notes: Notes,
    metrics: Metrics,
    status: watch::Sender<Arc<ApplyStatus>>,
    capabilities: Capabilities,
    /// Something is known that no decision was made from.
    stale: bool,
    /// Since when there is something to do.
    unsettled: Option<Instant>,
}

/// A write that ended.
struct Ended {
    action: Arc<Action>,
    sent: Sent,
    outcome: Outcome,
    took: std::time::Duration,
}

impl Controller {
    /// Nothing is written before [`Controller::run`]. `observed` and `input` may close: what they said last still counts.
    pub fn new(
        client: Client,
        observed: watch::Receiver<Arc<Observed>>,
        input: watch::Receiver<Arc<Input>>,
        registry: &mut Registry,
    ) -> Self {
        let metrics = Metrics::register(registry);
        let view = View::new(Arc::clone(&observed.borrow()));
        Self {
            notes: Notes::new(client.clone(), metrics.clone()),
            client,
            observed,
            input,
            view,
            schedule: Schedule::default(),
            writes: JoinSet::new(),
            metrics,
            status: watch::Sender::default(),
            capabilities: Capabilities::default(),
            stale: false,
            unsettled: None,
        }
    }

    /// What is pending and what is wrong, kept up to date while it runs.
    pub fn status(&self) -> watch::Receiver<Arc<ApplyStatus>> {
        self.status.subscribe()
    }

    /// Writes until the drain begins; then finishes what is under way and starts nothing more.
    pub async fn run(mut self, drain: DrainWatcher) {
        let (mut observing, mut listening) = (true, true);
        // Ends with this function: Events are not worth a drain's time.
        let mut recorder = JoinSet::new();
        if let Some(recording) = self.notes.recorder() {
            recorder.spawn(recording.run());
        }
        self.take_observed();
        self.decide();
        loop {
            self.start_writes();
            self.report();
            let deadline = self.deadline();
            tokio::select! {
                () = drain.wait() => break,
                changed = self.observed.changed(), if observing => match changed {
                    Ok(()) => self.take_observed(),
                    Err(_) => observing = false,
                },
                changed = self.input.changed(), if listening => match changed {
                    Ok(()) => self.decide(),
                    Err(_) => listening = false,
                },
                Some(ended) = self.writes.join_next() => self.ended(ended),
                () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.overdue();
                }
            }
            // One decision for everything that has come meanwhile.
            while let Some(ended) = self.writes.try_join_next() {
                self.ended(ended);
            }
            if self.stale && self.schedule.ready() < ENOUGH {
                self.decide();
            }
        }
        info!(under_way = self.writes.len(), "drain: writing to the API server ends");
        let finish = async {
            while let Some(ended) = self.writes.join_next().await {
                self.ended(ended);
            }
        };
        tokio::select! {
            () = finish => {}
            () = drain.forced() => {}
        }
        self.report();
    }

    fn take_observed(&mut self) {
        let observed = Arc::clone(&self.observed.borrow_and_update());
        if observed.capabilities != self.capabilities {
            self.capabilities = observed.capabilities.clone();
            self.schedule.capabilities_changed();
        }
        self.view.observe(observed, Instant::now());
        self.stale = true;
    }

    /// Works out what is wanted now, from everything that is known.
    fn decide(&mut self) {
        if self.observed.has_changed().unwrap_or(false) {
            self.take_observed();
        }
        let input = Arc::clone(&self.input.borrow_and_update());
        let begun = Instant::now();
        let observed = self.view.current();
        let desired = desired(&input, observed);
        let actions = diff(&desired, observed);
        self.notes.foreign(foreign(&desired, observed), observed);
        self.schedule.want(actions, begun);
        self.stale = false;
        self.metrics.decided(begun.elapsed());
    }

    fn start_writes(&mut self) {
        let now = Instant::now();
        while let Some(action) = self.schedule.next(now) {
            let Some(request) = request(&action, self.view.current(), &time_now()) else {
                self.schedule.finished(&action, &Outcome::NoSuchKind, now);
                continue;
            };
            self.writes.spawn(write(self.client.clone(), action, request));
        }
    }

    fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        // Writes do not panic: theirs are caught. They are aborted only with the whole set.
        let Ok(Ended { action, sent, outcome, took }) = ended else { return };
        let now = Instant::now();
        let target = Target::of(&action);
        self.metrics.wrote(&target, &outcome, took);
        match self.schedule.finished(&action, &outcome, now) {
            Notable::Nothing => {}
            Notable::Fight(object) => {
                self.metrics.fight();
                self.notes.fight(&object, self.view.current());
            }
            Notable::Refused(object, message) => {
                warn!(%object, message, "the API server does not take what should be written");
                self.notes.refused(&object, &message, self.view.current());
            }
            Notable::Forbidden(missing) => warn!(missing, "the API server does not let the agent write"),
        }
        match outcome {
            Outcome::Done(written) => {
                self.notes.exported(&action, self.view.current());
                self.view.wrote(action, sent, written, now);
            }
            Outcome::Conflict | Outcome::Gone => self.view.doubt(&target.object),
            _ => return,
        }
        self.stale = true;
    }

    fn overdue(&mut self) {
        let now = Instant::now();
        self.schedule.wake(now);
        if self.view.deadline().is_some_and(|deadline| deadline <= now) {
            self.view.expire(now);
            self.stale = true;
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.schedule.deadline().into_iter().chain(self.view.deadline()).min()
    }

    /// Tells `/status` and the metrics how things are.
    fn report(&mut self) {
        let mut status = self.schedule.status(NAMED);
        status.foreign = self.notes.in_the_way(NAMED);
        self.metrics.queue(status.pending, status.in_flight);
        if self.schedule.settled() && !self.stale {
            if let Some(since) = self.unsettled.take() {
                self.metrics.settled(since.elapsed());
            }
        } else if self.unsettled.is_none() {
            self.unsettled = Some(Instant::now());
        }
        self.status.send_if_modified(|held| {
            let changed = **held != status;
            if changed {
                *held = Arc::new(status);
            }
            changed
        });
    }
}

/// Sends one request. A panic below is a failed write like another, so that its object is tried again.
async fn write(client: Client, action: Arc<Action>, request: Request) -> Ended {
    let begun = Instant::now();
    let Request { method, path, content, body, sent } = request;
    let part = Target::of(&action).part;
    let answer: Pin<Box<dyn Future<Output = _> + Send>> =
        Box::pin(async move { call::call(&client, method, &path, content, METADATA, body).await });
    let outcome = match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(answer) => judge(part, answer),
        Err(_) => Outcome::Failed("the write panicked".to_owned()),
    };
    Ended { action, sent, outcome, took: begun.elapsed() }
}

fn time_now() -> Time {
    Time(k8s_openapi::jiff::Timestamp::now())
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controller").field("status", &**self.status.borrow()).finish_non_exhaustive()
    }
}
