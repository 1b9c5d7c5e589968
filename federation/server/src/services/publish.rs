//! What a cluster exports.
//!
//! A stream opens a session of its cluster with its hello, and whatever it says belongs to that session: once a later
//! stream has opened one, nothing of this stream is applied any more, however late it comes.
//!
//! Messages that have arrived together are committed together and answered one by one, in order. The stream is pulled
//! by the transport: an agent that does not read its answers is not read from.

mod offer;
mod step;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use federation_api::federation as wire;
use federation_api::federation::publish_request::Message as Ask;
use federation_api::federation::publish_response::Message as Answer;
use federation_api::federation::subject::Subject;
use federation_model::command::Registration;
use federation_model::state::Outcome;
use federation_model::{ClusterId, Command, Rejection, Revision, ServiceId, StreamId};
use futures::{FutureExt, stream};
use prost::Message as _;
use tonic::{Code, Status, Streaming};

use self::offer::{MAX_OFFERED, Present};
use self::step::{About, Refusal, Speaker, Step};
use super::{Answers, Context};
use crate::limits::account::Change;
use crate::limits::{Account, Slot, Weight};

/// Most messages that are committed together.
const GROUP: usize = 256;
/// No message joins a group that is larger than this, in bytes as received.
const GROUP_BYTES: usize = 256 * 1024;
/// Most exports that a sync point withdraws with one entry.
const WITHDRAW: usize = 1_024;
/// How long a sync point waits until this server has applied what the stream committed.
const CATCH_UP: Duration = Duration::from_secs(10);
/// How often a session is asked for under the number after the present one: each time another stream was faster.
const OPENINGS: usize = 8;

struct Publish {
    context: Arc<Context>,
    cluster: ClusterId,
    requests: Streaming<wire::PublishRequest>,
    /// Tells this stream from every other.
    stream: StreamId,
    /// Hellos said.
    hellos: u64,
    /// Set by the first hello that is accepted.
    speaker: Option<Speaker>,
    /// What the cluster has; opened with the session.
    account: Account,
    /// What the catalogue has and was named since the stream began: a sync point leaves it. What was refused counts too,
    /// since its exporter still means to export it, and what was there before is the better answer than nothing.
    put: BTreeSet<ServiceId>,
    /// The last revision committed for this stream.
    committed: Revision,
    answers: VecDeque<wire::PublishResponse>,
    /// The end of the stream, its error, or a message of the next group, where it came behind messages that are not
    /// answered yet.
    ended: Option<Received>,
    _slot: Slot,
}

type Received = Result<Option<wire::PublishRequest>, Status>;

pub(super) fn publish(
    context: Arc<Context>,
    cluster: ClusterId,
    slot: Slot,
    requests: Streaming<wire::PublishRequest>,
) -> Answers<wire::PublishResponse> {
    let publish = Publish {
        cluster,
        requests,
        stream: StreamId(rand::random()),
        hellos: 0,
        speaker: None,
        account: Account::open(context.limits, []),
        put: BTreeSet::new(),
        committed: Revision(0),
        answers: VecDeque::new(),
        ended: None,
        context,
        _slot: slot,
    };
    Box::pin(stream::unfold(Some(publish), |publish| async {
        let mut publish = publish?;
        match publish.next().await {
            Ok(Some(answer)) => Some((Ok(answer), Some(publish))),
            Ok(None) => None,
            Err(status) => Some((Err(status), None)),
        }
    }))
}

impl Publish {
    async fn next(&mut self) -> Result<Option<wire::PublishResponse>, Status> {
        loop {
            if let Some(answer) = self.answers.pop_front() {
                return Ok(Some(answer));
            }
            let received = match self.ended.take() {
                Some(ended) => ended,
                None => tokio::select! {
                    received = self.requests.message() => received,
                    () = self.context.drain.wait() => return Err(Status::unavailable("this server is stopping")),
                },
            };
            let Some(first) = received.inspect_err(|status| self.context.broken(status))? else {
                return Ok(None);
            };
            // A cluster that is too fast is not read: it fills its window, and waits.
            tokio::select! {
                () = self.context.rates.wait(&self.cluster) => {}
                () = self.context.drain.wait() => return Err(Status::unavailable("this server is stopping")),
            }
            self.group(first).await?;
        }
    }

    /// Takes `first` and what has arrived behind it, up to a hello, an offer or a sync point.
    async fn group(&mut self, first: wire::PublishRequest) -> Result<(), Status> {
        let mut steps = Vec::new();
        let mut last = None;
        let mut bytes = 0usize;
        let mut next = Some(first);
        while let Some(message) = next.take() {
            bytes = bytes.saturating_add(message.encoded_len());
            match self.step(message)? {
                step @ (Step::Hello { .. } | Step::Offer(_) | Step::Sync) => last = Some(step),
                step => steps.push(step),
            }
            if last.is_none() && steps.len() < GROUP && bytes <= GROUP_BYTES {
                match self.requests.message().now_or_never() {
                    Some(Ok(Some(message))) if self.context.rates.take(&self.cluster).is_ok() => {
                        next = Some(message);
                    }
                    later => self.ended = later,
                }
            }
        }
        self.commit(steps).await?;
        match last {
            Some(Step::Hello { about, registration }) => self.open(about, registration).await,
            Some(Step::Offer(offer)) => self.compare(&offer).await,
            Some(Step::Sync) => self.sync().await,
            _ => Ok(()),
        }
    }

    fn step(&mut self, message: wire::PublishRequest) -> Result<Step, Status> {
        let context = &self.context;
        let Some(message) = message.message else {
            return Err(context.refused(
                Code::InvalidArgument,
                "invalid",
                "a message of the stream is empty",
            ));
        };
        if let Ask::Hello(hello) = message {
            return Ok(step::hello(&self.cluster, context.trust.clusterset(), hello));
        }
        let Some(speaker) = &self.speaker else {
            let message = "the first message must be a hello that is accepted";
            return Err(context.refused(Code::FailedPrecondition, "no_hello", message));
        };
        Ok(match message {
            Ask::Hello(_) | Ask::SyncPoint(_) => Step::Sync,
            Ask::Offer(offer) if offer.exports.len() > MAX_OFFERED => {
                let message =
                    format!("{} exports offered at once, at most {MAX_OFFERED} allowed", offer.exports.len());
                return Err(context.refused(Code::InvalidArgument, "too_many", message));
            }
            Ask::Offer(offer) => Step::Offer(offer),
            Ask::Put(put) => {
                let named = put.service.clone().and_then(|service| ServiceId::try_from(service).ok());
                let step = step::put(speaker, put);
                let step = self.admit(step);
                self.put.extend(named.filter(|service| self.account.has(service)));
                step
            }
            Ask::Remove(remove) => {
                let step = step::remove(speaker, remove);
                if let Step::Command { command: Command::RemoveExport { service, .. }, .. } = &step {
                    self.put.remove(service);
                }
                self.admit(step)
            }
            Ask::Bundle(bundle) => step::bundle(speaker, bundle),
        })
    }

    /// Lets a change through, unless the cluster would have more than it may.
    fn admit(&mut self, step: Step) -> Step {
        let Some(change) = step.command().and_then(change) else { return step };
        let new = matches!(&change, Change::Put(service, _) if !self.account.has(service));
        let memory = if new { self.context.memory.admit() } else { Ok(()) };
        match (memory.and_then(|()| self.account.propose(&change)), step) {
            (Err(exceeded), Step::Command { about, .. }) => Step::Refused { about, refusal: exceeded.into() },
            (_, step) => step,
        }
    }

    /// Opens the session under the number after the present one; or says `registration` anew in the session that is open.
    async fn open(&mut self, about: About, registration: Registration) -> Result<(), Status> {
        let (context, cluster) = (&self.context, &self.cluster);
        let opened = self.speaker.as_ref().map(|speaker| speaker.session);
        let mut session =
            opened.unwrap_or_else(|| context.node.read(|state, _| state.session_number(cluster)).next());
        for _ in 0..OPENINGS {
            let (stream, hello, registration) = (self.stream, self.hellos, registration.clone());
            let instance = registration.instance.clone();
            let command = Command::OpenSession { session, stream, hello, registration };
            context.metrics.commands.inc();
            let committed = context.node.propose(vec![command]).await;
            let committed = committed.map_err(|error| context.not_committed(&error))?;
            match committed.outcomes.into_iter().next().unwrap_or(Ok(())) {
                // Another stream was faster, or this server has not applied its session yet.
                Err(Rejection::Fenced { present, .. }) if opened.is_none() => session = present.next(),
                outcome => {
                    if outcome.is_ok() {
                        self.committed = committed.revision;
                        self.hellos += 1;
                        self.speaker = Some(Speaker { cluster: cluster.clone(), instance, session });
                    }
                    self.answer(about, outcome)?;
                    return if opened.is_none() { self.open_account().await } else { Ok(()) };
                }
            }
        }
        let message = "too many publish streams of this cluster open at the same time";
        Err(context.refused(Code::Unavailable, "contended", message))
    }

    /// Counts what the cluster has, once: from here on only this stream changes it.
    async fn open_account(&mut self) -> Result<(), Status> {
        self.catch_up().await?;
        let cluster = &self.cluster;
        let own: Vec<(ServiceId, Weight)> = self.context.node.read(|state, _| {
            let own = state.exports().filter(|export| &export.cluster == cluster);
            own.map(|export| (export.service.clone(), Weight::of(export))).collect()
        });
        self.account = Account::open(self.context.limits, own);
        Ok(())
    }

    async fn commit(&mut self, steps: Vec<Step>) -> Result<(), Status> {
        let commands: Vec<Command> = steps.iter().filter_map(Step::command).cloned().collect();
        let mut outcomes = Vec::new();
        if !commands.is_empty() {
            self.context.metrics.commands.inc_by(commands.len() as u64);
            let committed = self.context.node.propose(commands).await;
            let committed = committed.map_err(|error| self.context.not_committed(&error))?;
            self.committed = committed.revision;
            outcomes = committed.outcomes;
        }
        let commands = steps.iter().filter_map(Step::command).zip(&outcomes);
        self.account.settle(commands.filter(|(_, outcome)| outcome.is_ok()).filter_map(|(c, _)| change(c)));
        let mut outcomes = outcomes.into_iter();
        for step in steps {
            match step {
                Step::Hello { .. } | Step::Offer(_) | Step::Sync => {}
                Step::Refused { about, refusal } => self.refuse(about, refusal),
                Step::Command { about, .. } => match outcomes.next() {
                    Some(outcome) => self.answer(about, outcome)?,
                    None => return Err(Status::internal("fewer outcomes than commands")),
                },
            }
        }
        Ok(())
    }

    fn answer(&mut self, about: About, outcome: Outcome) -> Result<(), Status> {
        match outcome {
            Ok(()) => {
                let About { subject, generation } = about;
                let features = match &subject {
                    Subject::Hello(_) => vec![wire::Feature::Offer.into()],
                    _ => Vec::new(),
                };
                let subject = Some(wire::Subject { subject: Some(subject) });
                let revision = self.committed.0;
                let committed = wire::Committed { subject, generation, revision, features };
                self.answers.push_back(wire::PublishResponse { message: Some(Answer::Committed(committed)) });
                Ok(())
            }
            // Whoever speaks is not the agent of this cluster at present: nothing it says can succeed.
            Err(rejection @ (Rejection::HeldByAnother { .. } | Rejection::Fenced { .. })) => {
                Err(self.context.rejected(&rejection))
            }
            Err(rejection) => {
                self.refuse(about, Refusal::from(&rejection));
                Ok(())
            }
        }
    }

    fn refuse(&mut self, about: About, refusal: Refusal) {
        let Refusal { reason, message, exceeded } = refusal;
        self.context.metrics.refuse(reason);
        let About { subject, generation } = about;
        let subject = Some(wire::Subject { subject: Some(subject) });
        let (limit, present) = exceeded.map(|exceeded| (exceeded.limit, exceeded.present)).unzip();
        let refused =
            wire::Refused { subject, generation, reason: reason.to_owned(), message, limit, present };
        self.answers.push_back(wire::PublishResponse { message: Some(Answer::Refused(refused)) });
    }

    /// Waits until this server has applied what the stream committed.
    async fn catch_up(&self) -> Result<(), Status> {
        if self.context.node.wait_applied(self.committed, CATCH_UP).await {
            return Ok(());
        }
        Err(self.context.refused(Code::Unavailable, "lagging", "this server lags behind"))
    }

    /// Says what the catalogue has of an offer. What is offered is still meant, whether it has to be put or not.
    async fn compare(&mut self, offer: &wire::Offer) -> Result<(), Status> {
        self.catch_up().await?;
        let service = |offered: &wire::OfferedExport| ServiceId::try_from(offered.service.clone()?).ok();
        let services: Vec<Option<ServiceId>> = offer.exports.iter().map(service).collect();
        let present = self.context.node.read(|state, _| Present::look(state, &self.cluster, &services));
        self.put.extend(services.into_iter().flatten().filter(|service| self.account.has(service)));
        let compared = present.compare(offer);
        self.answers.push_back(wire::PublishResponse { message: Some(Answer::Compared(compared)) });
        Ok(())
    }

    /// Withdraws what the catalogue has of this cluster and the stream did not name.
    async fn sync(&mut self) -> Result<(), Status> {
        let Some(speaker) = &self.speaker else { return Ok(()) };
        self.catch_up().await?;
        let (cluster, put) = (&self.cluster, &self.put);
        let left: Vec<&ServiceId> =
            self.account.services().filter(|service| !put.contains(*service)).collect();
        let withdrawn: Vec<Command> = self.context.node.read(|state, _| {
            let exports = left.into_iter().filter_map(|service| state.export(service, cluster));
            exports.map(|export| speaker.withdraw(export.service.clone(), export.generation)).collect()
        });
        let about = About { subject: Subject::SyncPoint(wire::SyncPoint {}), generation: 0 };
        let mut outcome = Ok(());
        for commands in withdrawn.chunks(WITHDRAW) {
            let committed = self.context.node.propose(commands.to_vec()).await;
            let committed = committed.map_err(|error| self.context.not_committed(&error))?;
            self.committed = committed.revision;
            let made = commands.iter().zip(&committed.outcomes).filter(|(_, outcome)| outcome.is_ok());
            self.account.settle(made.filter_map(|(command, _)| change(command)));
            let all: Outcome = committed.outcomes.into_iter().collect();
            outcome = outcome.and(all);
        }
        self.answer(about, outcome)
    }
}

/// What a command changes in the account of its cluster.
fn change(command: &Command) -> Option<Change> {
    match command {
        Command::PutExport { export, .. } => Some(Change::Put(export.service.clone(), Weight::of(export))),
        Command::RemoveExport { service, .. } => Some(Change::Remove(service.clone())),
        _ => None,
    }
}
