//! Writers of etcd, each puts one key, again and again; and clients that watch one.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, ensure};
use multi_cluster_e2e_kube::binaries::Binaries;
use multi_cluster_e2e_lab::binaries::Binaries as OurBinaries;
use multi_cluster_e2e_lab::ports::{PortChoice, Ports};
use multi_cluster_e2e_lab::process::warden::Warden;
use multi_cluster_e2e_lab::process::{ProcessSpec, Supervisor};
use multi_cluster_e2e_lab::wait::{Seen, until};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Streaming};
use tonic_prost::ProstCodec;

use super::fanout::{self, FanOut, Watch};
use super::load::{self, Write};
use super::{Measured, Options};

/// How long three of them may take to elect a leader.
const READY: Duration = Duration::from_secs(60);
const MEMBERS: usize = 3;
/// The key that is watched.
const WATCHED: &[u8] = b"watched";

/// Measures each case on the same three servers.
pub(super) async fn measure(options: &Options) -> anyhow::Result<Measured> {
    let group = Group::start()?;
    let measured = group.measure(options).await;
    group.supervisor.stop_all().await;
    group.supervisor.leave().await;
    measured
}

/// Three etcd that write to disk as they come.
struct Group {
    // Dropped in this order: first the processes, then what they write to.
    supervisor: Supervisor,
    _dir: TempDir,
    clients: Vec<SocketAddr>,
}

impl Group {
    fn start() -> anyhow::Result<Self> {
        let program = Binaries::find()?.program("etcd");
        let warden = Warden::start(&OurBinaries::locate()?.program("isthmus-lab")?)?;
        // The lab's directory is in the same place.
        let dir = TempDir::with_prefix("isthmus-etcd-")?;
        let supervisor = Supervisor::new(warden);
        supervisor.remove_on_death(dir.path().to_owned());
        let mut ports = Ports::new(PortChoice::Random);
        let mut pick = || ports.pick(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let mut places = Vec::new();
        for number in 1..=MEMBERS {
            places.push((format!("etcd-{number}"), pick()?, pick()?));
        }
        let cluster: Vec<String> =
            places.iter().map(|(name, _, peers)| format!("{name}=http://{peers}")).collect();
        for (name, clients, peers) in &places {
            let args = [
                format!("--name={name}"),
                format!("--data-dir={}", dir.path().join(name).display()),
                format!("--listen-client-urls=http://{clients}"),
                format!("--advertise-client-urls=http://{clients}"),
                format!("--listen-peer-urls=http://{peers}"),
                format!("--initial-advertise-peer-urls=http://{peers}"),
                format!("--initial-cluster={}", cluster.join(",")),
                "--log-level=error".to_owned(),
            ];
            let args = args.into_iter().map(OsString::from).collect();
            let log = dir.path().join(format!("{name}.log"));
            supervisor.launch(ProcessSpec { name: name.clone(), program: program.clone(), args, log })?;
        }
        Ok(Self {
            supervisor,
            _dir: dir,
            clients: places.into_iter().map(|(_, clients, _)| clients).collect(),
        })
    }

    async fn measure(&self, options: &Options) -> anyhow::Result<Measured> {
        for number in 0..MEMBERS {
            let look = || async { Ok(Seen::from_result(self.writer(number, options.bytes)?.write().await)) };
            until("etcd to have a leader", READY, look).await?;
        }
        let mut loads = Vec::new();
        for count in &options.writers {
            eprintln!("measuring {count} writers of etcd");
            let writers: anyhow::Result<Vec<Writer>> =
                (0..*count).map(|number| self.writer(number, options.bytes)).collect();
            loads.push(load::measure(&mut writers?, options.time).await?);
        }
        Ok(Measured { loads, fan_out: self.fan_out(options).await?, loss: None })
    }

    async fn fan_out(&self, options: &Options) -> anyhow::Result<Option<FanOut>> {
        if options.watchers == 0 {
            return Ok(None);
        }
        let mut writer = self.writer(0, options.bytes)?;
        writer.put.key = WATCHED.to_vec();
        let mut watchers = Vec::new();
        for number in 0..options.watchers {
            watchers.push(Watcher::open(self.channel(number)?).await?);
        }
        eprintln!("measuring {} watchers of etcd", options.watchers);
        fanout::measure(&mut writer, watchers, options.time).await.map(Some)
    }

    fn writer(&self, number: usize, bytes: usize) -> anyhow::Result<Writer> {
        let key = format!("w{number}").into_bytes();
        let put = PutRequest { key, value: vec![b'x'; bytes] };
        Ok(Writer { grpc: Grpc::new(self.channel(number)?), put })
    }

    fn channel(&self, number: usize) -> anyhow::Result<Channel> {
        let address = self.clients.get(number % MEMBERS).context("no such member")?;
        Ok(Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true).connect_lazy())
    }
}

struct Writer {
    grpc: Grpc<Channel>,
    put: PutRequest,
}

impl Write for Writer {
    async fn write(&mut self) -> anyhow::Result<()> {
        self.grpc.ready().await?;
        let path = PathAndQuery::from_static("/etcdserverpb.KV/Put");
        let codec = ProstCodec::<PutRequest, PutResponse>::default();
        self.grpc.unary(Request::new(self.put.clone()), path, codec).await?;
        Ok(())
    }
}

struct Watcher {
    shown: Streaming<WatchResponse>,
    /// Kept open: etcd ends a watch with it.
    _say: mpsc::Sender<WatchRequest>,
}

impl Watcher {
    /// Until etcd says that it watches.
    async fn open(channel: Channel) -> anyhow::Result<Self> {
        let mut grpc = Grpc::new(channel);
        grpc.ready().await?;
        let (say, said) = mpsc::channel(1);
        say.send(WatchRequest { create: Some(WatchCreate { key: WATCHED.to_vec() }) }).await?;
        let path = PathAndQuery::from_static("/etcdserverpb.Watch/Watch");
        let codec = ProstCodec::<WatchRequest, WatchResponse>::default();
        let asked = Request::new(ReceiverStream::new(said));
        let mut shown = grpc.streaming(asked, path, codec).await?.into_inner();
        let first: Option<WatchResponse> = shown.message().await?;
        ensure!(first.is_some_and(|first| first.created), "etcd does not watch");
        Ok(Self { shown, _say: say })
    }
}

impl Watch for Watcher {
    async fn next(&mut self) -> anyhow::Result<()> {
        while self.shown.message().await?.context("the watch ended")?.events.is_empty() {}
        Ok(())
    }
}

/// `etcdserverpb.WatchRequest`, as far as it is used.
#[derive(Clone, PartialEq, prost::Message)]
struct WatchRequest {
    #[prost(message, optional, tag = "1")]
    create: Option<WatchCreate>,
}

/// `etcdserverpb.WatchCreateRequest`, as far as it is used.
#[derive(Clone, PartialEq, prost::Message)]
struct WatchCreate {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
}

/// `etcdserverpb.WatchResponse`, as far as it is used.
#[derive(Clone, PartialEq, prost::Message)]
struct WatchResponse {
    #[prost(bool, tag = "3")]
    created: bool,
    #[prost(bytes = "vec", repeated, tag = "11")]
    events: Vec<Vec<u8>>,
}

/// `etcdserverpb.PutRequest`, as far as it is used.
#[derive(Clone, PartialEq, prost::Message)]
struct PutRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `etcdserverpb.PutResponse`, of which nothing is used.
#[derive(Clone, PartialEq, prost::Message)]
struct PutResponse {}
