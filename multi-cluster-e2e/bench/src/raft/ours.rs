//! Writers of the federation, each a cluster that publishes one export, again and again; and clusters that watch one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use federation_api::federation as wire;
use federation_api::federation::export::{Mtls, Scope};
use federation_api::federation::federation_client::FederationClient;
use federation_api::federation::publish_request::Message as Say;
use federation_api::federation::publish_response::Message as Answer;
use federation_api::federation::watch_response::Message as Shown;
use multi_cluster_e2e_lab::lab::Lab;
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::fanout::{self, FanOut, Watch};
use super::load::{self, Write};
use super::member::Member;
use super::{Loss, Measured, Options};
use crate::servers::only_servers;

/// Who writes while a follower dies, at most.
const LOSS_WRITERS: usize = 16;
/// The service that is watched.
const WATCHED: &str = "watched";

/// Measures each case on the same three servers.
pub(super) async fn measure(options: &Options) -> anyhow::Result<Measured> {
    let lab = only_servers().await?;
    let measured = tokio::select! {
        measured = run(&lab, options) => measured,
        interrupted = tokio::signal::ctrl_c() => Err(interrupted.map_or_else(Into::into, |()| anyhow::anyhow!("interrupted"))),
    };
    lab.down().await?;
    measured
}

async fn run(lab: &Arc<Lab>, options: &Options) -> anyhow::Result<Measured> {
    let most = options.writers.iter().max().copied().unwrap_or_default();
    eprintln!("joining {} clusters", most + options.watchers);
    let mut all = Vec::new();
    for number in 0..most {
        let member = Member::join(lab, format!("w{number}"), number).await?;
        let seen_by = Scope::Clusters(wire::ClusterList { clusters: vec!["nobody".to_owned()] });
        all.push(Writer::open(member, "own", seen_by, options.bytes).await?);
    }
    let mut loads = Vec::new();
    for count in &options.writers {
        eprintln!("measuring {count} writers");
        let mut some: Vec<Writer> = all.drain(..*count).collect();
        loads.push(load::measure(&mut some, options.time).await?);
        all.extend(some);
    }
    let fan_out = fan_out(lab, options).await?;
    let loss = match options.writers.iter().max() {
        Some(_) => Some(loss(lab, &mut all, options.time).await?),
        None => None,
    };
    Ok(Measured { loads, fan_out, loss })
}

/// Kills a server that follows, under the writes of all whose connections are to the others.
async fn loss(lab: &Lab, writers: &mut Vec<Writer>, time: Duration) -> anyhow::Result<Loss> {
    let leader = lab.operator()?.status().await?.leader_id;
    let servers = &lab.topology().servers;
    let at = servers.iter().position(|server| Some(server.id) != leader).context("there is no follower")?;
    let follower = servers.get(at).context("there is no follower")?.name();
    writers.retain(|writer| writer.number % servers.len() != at);
    writers.truncate(LOSS_WRITERS);
    eprintln!("measuring {} writers, and killing {follower}", writers.len());
    let before = load::measure(writers, time).await?.samples;
    lab.stop(&follower, true).await?;
    let after = load::run(writers, time).await?.samples;
    Ok(Loss { writers: writers.len(), before, after })
}

async fn fan_out(lab: &Lab, options: &Options) -> anyhow::Result<Option<FanOut>> {
    if options.watchers == 0 {
        return Ok(None);
    }
    let member = Member::join(lab, "watched".to_owned(), 0).await?;
    let mut writer = Writer::open(member, WATCHED, Scope::All(wire::AllClusters {}), options.bytes).await?;
    let mut watchers = Vec::new();
    for number in 0..options.watchers {
        watchers.push(Watcher::open(&Member::join(lab, format!("v{number}"), number).await?).await?);
    }
    eprintln!("measuring {} watchers", options.watchers);
    fanout::measure(&mut writer, watchers, options.time).await.map(Some)
}

/// A cluster that publishes.
struct Writer {
    number: usize,
    say: mpsc::Sender<wire::PublishRequest>,
    answers: Streaming<wire::PublishResponse>,
    export: wire::Export,
}

impl Writer {
    async fn open(member: Member, service: &str, scope: Scope, bytes: usize) -> anyhow::Result<Self> {
        let Member { name, number, clusterset, channel } = member;
        let (say, said) = mpsc::channel(1);
        let hello = wire::Registration {
            instance: format!("{number:032x}"),
            network: "n".to_owned(),
            trust_domain: format!("{name}.{clusterset}"),
            ..wire::Registration::default()
        };
        say.send(wire::PublishRequest { message: Some(Say::Hello(hello)) }).await?;
        let answers = FederationClient::new(channel).publish(ReceiverStream::new(said)).await?.into_inner();
        let mut this =
            Self { number, say, answers, export: export(&format!("{service}-{name}"), scope, bytes) };
        this.committed().await?;
        Ok(this)
    }

    async fn committed(&mut self) -> anyhow::Result<()> {
        let answer = self.answers.message().await?.and_then(|answer| answer.message);
        match answer.context("the stream ended")? {
            Answer::Committed(_) => Ok(()),
            Answer::Compared(_) => bail!("an offer was answered that was never made"),
            Answer::Refused(refused) => bail!("refused ({}): {}", refused.reason, refused.message),
        }
    }
}

impl Write for Writer {
    async fn write(&mut self) -> anyhow::Result<()> {
        self.export.generation += 1;
        // What is the same would be told to nobody.
        let ready = u32::try_from(self.export.generation % 1_000)?;
        self.export.localities = vec![wire::Locality { zone: String::new(), ready, total: 1_000 }];
        self.say.send(wire::PublishRequest { message: Some(Say::Put(self.export.clone())) }).await?;
        self.committed().await
    }
}

/// A cluster that watches.
struct Watcher {
    shown: Streaming<wire::WatchResponse>,
}

impl Watcher {
    /// Past the snapshot.
    async fn open(member: &Member) -> anyhow::Result<Self> {
        let mut client = FederationClient::new(member.channel.clone());
        let shown = client.watch(wire::WatchRequest::default()).await?.into_inner();
        let mut this = Self { shown };
        while !matches!(this.message().await?, Shown::SnapshotEnd(_)) {}
        Ok(this)
    }

    async fn message(&mut self) -> anyhow::Result<Shown> {
        let shown = self.shown.message().await?.context("the watch ended")?;
        shown.message.context("an empty message")
    }
}

impl Watch for Watcher {
    async fn next(&mut self) -> anyhow::Result<()> {
        loop {
            let Shown::Upsert(item) = self.message().await? else { continue };
            let item = wire::Item::decode(item.as_ref())?.item;
            let of = |export: &wire::Export| {
                export.service.as_ref().map(|service| service.name.starts_with(WATCHED))
            };
            if matches!(&item, Some(wire::item::Item::Export(export)) if of(export) == Some(true)) {
                return Ok(());
            }
        }
    }
}

/// An export of so many bytes as it is sent.
fn export(name: &str, scope: Scope, bytes: usize) -> wire::Export {
    let service = wire::ServiceId { namespace: "bench".to_owned(), name: name.to_owned() };
    let port = wire::ServicePort {
        name: "http".to_owned(),
        protocol: wire::Protocol::Tcp.into(),
        port: 80,
        ..wire::ServicePort::default()
    };
    let mut export = wire::Export {
        service: Some(service),
        kind: wire::ExportKind::ClusterSetIp.into(),
        ports: vec![port],
        scope: Some(scope),
        mtls: Some(Mtls::Gateway(wire::GatewayMtls {})),
        localities: vec![wire::Locality { zone: String::new(), ready: 1, total: 1_000 }],
        ..wire::Export::default()
    };
    let filler = bytes.saturating_sub(export.encoded_len());
    export.annotations = HashMap::from([("filler".to_owned(), "x".repeat(filler))]).into_iter().collect();
    export
}
