//! What a cluster exports.
//!
//! Messages that have arrived together are committed together and answered one by one, in order. The stream is pulled
//! by the transport: an agent that does not read its answers is not read from.

mod step;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use federation_api::federation as wire;
use federation_api::federation::publish_request::Message as Ask;
use federation_api::federation::publish_response::Message as Answer;
use federation_api::federation::subject::Subject;
use federation_model::state::Outcome;
use federation_model::{ClusterId, Command, InstanceId, Rejection, Revision, ServiceId};
use futures::{FutureExt, stream};
use prost::Message as _;
use tonic::{Code, Status, Streaming};

use self::step::{About, Step};
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

struct Publish {
    context: Arc<Context>,
    cluster: ClusterId,
    requests: Streaming<wire::PublishRequest>,
    /// Set by the first message.
    instance: Option<InstanceId>,
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
        instance: None,
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

    /// Takes `first` and what has arrived behind it, up to a sync point.
    async fn group(&mut self, first: wire::PublishRequest) -> Result<(), Status> {
        let mut steps = Vec::new();
        let mut bytes = 0usize;
        let mut next = Some(first);
        while let Some(message) = next.take() {
            bytes = bytes.saturating_add(message.encoded_len());
            let step = self.step(message)?;
            let ends = matches!(step, Step::Sync) || steps.len() + 1 >= GROUP || bytes > GROUP_BYTES;
            steps.push(step);
            if !ends {
                match self.requests.message().now_or_never() {
                    Some(Ok(Some(message))) => next = Some(message),
                    ended => self.ended = ended,
                }
            }
        }
        let sync = steps.iter().any(|step| matches!(step, Step::Sync));
        self.commit(steps).await?;
        if sync { self.sync().await } else { Ok(()) }
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
        let (cluster, clusterset) = (&self.cluster, context.trust.clusterset());
        if let Ask::Hello(hello) = message {
            let step = step::hello(cluster, clusterset, hello);
            if let Step::Command { command: Command::RegisterCluster(registration), .. } = &step {
                self.instance = Some(registration.instance.clone());
            }
            return Ok(step);
        }
        let Some(instance) = &self.instance else {
            let message = "the first message must be a valid hello";
            return Err(context.refused(Code::FailedPrecondition, "no_hello", message));
        };
        Ok(match message {
            Ask::Hello(_) | Ask::SyncPoint(_) => Step::Sync,
            Ask::Put(put) => {
                if let Some(service) = put.service.clone().and_then(|service| service.try_into().ok()) {
                    self.put.insert(service);
                }
                step::put(cluster, instance, put)
            }
            Ask::Remove(remove) => {
                let step = step::remove(cluster, instance, remove);
                if let Step::Command { command: Command::RemoveExport { service, .. }, .. } = &step {
                    self.put.remove(service);
                }
                step
            }
            Ask::Bundle(bundle) => step::bundle(cluster, instance, bundle),
        })
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
                Step::Sync => {}
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
                let subject = Some(wire::Subject { subject: Some(subject) });
                let committed = wire::Committed { subject, generation, revision: self.committed.0 };
                self.answers.push_back(wire::PublishResponse { message: Some(Answer::Committed(committed)) });
                Ok(())
            }
            // Whoever speaks is not the agent of this cluster at present: nothing it says can succeed.
            Err(rejection @ Rejection::HeldByAnother { .. }) => Err(self.context.rejected(&rejection)),
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

    /// Withdraws what the catalogue has of this cluster and the stream did not name.
    async fn sync(&mut self) -> Result<(), Status> {
        let Some(instance) = self.instance.clone() else { return Ok(()) };
        if !self.context.node.wait_applied(self.committed, CATCH_UP).await {
            return Err(self.context.refused(Code::Unavailable, "lagging", "this server lags behind"));
        }
        let (cluster, put) = (&self.cluster, &self.put);
        let withdrawn: Vec<Command> = self.context.node.read(|state, _| {
            let left = state.exports().filter(|e| &e.cluster == cluster && !put.contains(&e.service));
            left.map(|export| Command::RemoveExport {
                cluster: cluster.clone(),
                instance: instance.clone(),
                service: export.service.clone(),
                generation: export.generation,
            })
            .collect()
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
