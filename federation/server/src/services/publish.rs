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
use self::step::{About, Speaker, Step};
use super::{Answers, Context};
use crate::limits::Slot;

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
    /// Named since the stream began: a sync point leaves them. What was refused counts too, since its exporter still
    /// means to export it, and what was there before is the better answer than nothing.
    put: BTreeSet<ServiceId>,
    /// The last revision committed for this stream.
    committed: Revision,
    answers: VecDeque<wire::PublishResponse>,
    /// The end of the stream, or its error, where it came behind messages that are not answered yet.
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
        context,
        cluster,
        requests,
        stream: StreamId(rand::random()),
        hellos: 0,
        speaker: None,
        put: BTreeSet::new(),
        committed: Revision(0),
        answers: VecDeque::new(),
        ended: None,
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
                    Some(Ok(Some(message))) => next = Some(message),
                    ended => self.ended = ended,
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
                if let Some(service) = put.service.clone().and_then(|service| service.try_into().ok()) {
                    self.put.insert(service);
                }
                step::put(speaker, put)
            }
            Ask::Remove(remove) => {
                let step = step::remove(speaker, remove);
                if let Step::Command { command: Command::RemoveExport { service, .. }, .. } = &step {
                    self.put.remove(service);
                }
                step
            }
            Ask::Bundle(bundle) => step::bundle(speaker, bundle),
        })
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
                    return self.answer(about, outcome);
                }
            }
        }
        let message = "too many publish streams of this cluster open at the same time";
        Err(context.refused(Code::Unavailable, "contended", message))
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
        let mut outcomes = outcomes.into_iter();
        for step in steps {
            match step {
                Step::Hello { .. } | Step::Offer(_) | Step::Sync => {}
                Step::Refused { about, reason, message } => self.refuse(about, reason, message),
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
                self.refuse(about, rejection.reason(), rejection.to_string());
                Ok(())
            }
        }
    }

    fn refuse(&mut self, about: About, reason: &'static str, message: String) {
        self.context.metrics.refuse(reason);
        let About { subject, generation } = about;
        let subject = Some(wire::Subject { subject: Some(subject) });
        let refused = wire::Refused { subject, generation, reason: reason.to_owned(), message };
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
        self.put.extend(services.into_iter().flatten());
        let compared = present.compare(offer);
        self.answers.push_back(wire::PublishResponse { message: Some(Answer::Compared(compared)) });
        Ok(())
    }

    /// Withdraws what the catalogue has of this cluster and the stream did not name.
    async fn sync(&mut self) -> Result<(), Status> {
        let Some(speaker) = &self.speaker else { return Ok(()) };
        self.catch_up().await?;
        let (cluster, put) = (&self.cluster, &self.put);
        let withdrawn: Vec<Command> = self.context.node.read(|state, _| {
            let left = state.exports().filter(|e| &e.cluster == cluster && !put.contains(&e.service));
            left.map(|export| speaker.withdraw(export.service.clone(), export.generation)).collect()
        });
        let about = About { subject: Subject::SyncPoint(wire::SyncPoint {}), generation: 0 };
        let mut outcome = Ok(());
        for commands in withdrawn.chunks(WITHDRAW) {
            let committed = self.context.node.propose(commands.to_vec()).await;
            let committed = committed.map_err(|error| self.context.not_committed(&error))?;
            self.committed = committed.revision;
            let all: Outcome = committed.outcomes.into_iter().collect();
            outcome = outcome.and(all);
        }
        self.answer(about, outcome)
    }
}
