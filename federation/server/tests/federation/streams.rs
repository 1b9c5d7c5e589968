//! The streams of an agent, one message at a time.

use std::collections::{BTreeMap, BTreeSet};

use federation_api::convert::item::decoded;
use federation_api::federation as wire;
use federation_api::federation::federation_client::FederationClient;
use federation_api::federation::watch_response::Message;
use federation_model::{Exporters, FederationView, Incarnation, ItemKey, Revision};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

pub(crate) struct Publisher {
    asks: mpsc::Sender<wire::PublishRequest>,
    answers: Streaming<wire::PublishResponse>,
}

impl Publisher {
    pub(crate) async fn open(mut agent: FederationClient<Channel>) -> Result<Self, Status> {
        let (asks, stream) = mpsc::channel(64);
        let answers = agent.publish(ReceiverStream::new(stream)).await?.into_inner();
        Ok(Self { asks, answers })
    }

    pub(crate) async fn send(&self, message: wire::publish_request::Message) {
        // A closed stream shows in the answer.
        let _ = self.asks.send(wire::PublishRequest { message: Some(message) }).await;
    }

    pub(crate) async fn answer(&mut self) -> Result<wire::publish_response::Message, Status> {
        let answer = self.answers.message().await?.ok_or_else(|| Status::aborted("the stream ended"))?;
        Ok(answer.message.unwrap())
    }

    pub(crate) async fn ask(
        &mut self,
        message: wire::publish_request::Message,
    ) -> Result<wire::publish_response::Message, Status> {
        self.send(message).await;
        self.answer().await
    }

    /// Asks what must be committed, and returns its revision.
    pub(crate) async fn commit(&mut self, message: wire::publish_request::Message) -> u64 {
        match self.ask(message).await.unwrap() {
            wire::publish_response::Message::Committed(committed) => committed.revision,
            refused => panic!("{refused:?}"),
        }
    }

    /// Asks what must be refused, and returns the reason.
    pub(crate) async fn refused(&mut self, message: wire::publish_request::Message) -> String {
        match self.ask(message).await.unwrap() {
            wire::publish_response::Message::Refused(refused) => refused.reason,
            committed => panic!("{committed:?}"),
        }
    }
}

/// A watch, with the view that it adds up to.
pub(crate) struct Watcher {
    stream: Streaming<wire::WatchResponse>,
    pub(crate) view: FederationView,
    pub(crate) snapshots: usize,
    /// What changes named since the last snapshot began.
    pub(crate) named: BTreeSet<ItemKey>,
}

impl Watcher {
    pub(crate) async fn open(
        mut agent: FederationClient<Channel>,
        resume: FederationView,
    ) -> Result<Self, Status> {
        let request = wire::WatchRequest {
            resume_revision: resume.revision.0,
            resume_incarnation: resume.incarnation.0,
        };
        let stream = agent.watch(request).await?.into_inner();
        Ok(Self { stream, view: resume, snapshots: 0, named: BTreeSet::new() })
    }

    /// Takes in everything up to the next `Progress`.
    pub(crate) async fn step(&mut self) -> Result<(), Status> {
        loop {
            let message = self.stream.message().await?.ok_or_else(|| Status::aborted("the stream ended"))?;
            match message.message.unwrap() {
                Message::SnapshotBegin(_) => {
                    self.snapshots += 1;
                    self.view = FederationView::default();
                    self.named.clear();
                }
                Message::Upsert(item) => {
                    let item = decoded(item).unwrap().unwrap();
                    self.named.insert(item.key());
                    self.view.upsert(item);
                }
                Message::Remove(key) => {
                    let key = ItemKey::try_from(key).unwrap();
                    self.view.remove(&key);
                    self.named.insert(key);
                }
                Message::SnapshotEnd(end) => {
                    self.view.revision = Revision(end.revision);
                    self.view.incarnation = Incarnation(end.incarnation);
                }
                Message::Progress(progress) => {
                    self.view.revision = Revision(progress.revision);
                    return Ok(());
                }
            }
        }
    }

    /// Steps until everything up to `revision` was seen.
    pub(crate) async fn reach(&mut self, revision: u64) {
        while self.view.revision < Revision(revision) {
            self.step().await.unwrap();
        }
    }

    /// Service name → exporters, as seen.
    pub(crate) fn exports(&self) -> BTreeMap<String, Vec<String>> {
        let names = |by: &Exporters| by.keys().map(ToString::to_string).collect();
        self.view.exports.iter().map(|(service, by)| (service.name.to_string(), names(by))).collect()
    }
}
