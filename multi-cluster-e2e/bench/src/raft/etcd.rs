//! Writers of etcd: each puts one key, again and again.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use multi_cluster_e2e_kube::binaries::Binaries;
use multi_cluster_e2e_lab::binaries::Binaries as OurBinaries;
use multi_cluster_e2e_lab::ports::{PortChoice, Ports};
use multi_cluster_e2e_lab::process::warden::Warden;
use multi_cluster_e2e_lab::process::{ProcessSpec, Supervisor};
use multi_cluster_e2e_lab::wait::{Seen, until};
use tempfile::TempDir;
use tonic::Request;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use super::Options;
use super::load::{self, Load, Write};

/// How long three of them may take to elect a leader.
const READY: Duration = Duration::from_secs(60);
const MEMBERS: usize = 3;

/// Measures each case on the same three servers.
pub(super) async fn measure(options: &Options) -> anyhow::Result<Vec<Load>> {
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

    async fn measure(&self, options: &Options) -> anyhow::Result<Vec<Load>> {
        for number in 0..MEMBERS {
            let look = || async { Ok(Seen::from_result(self.writer(number, options.bytes)?.write().await)) };
            until("etcd to have a leader", READY, look).await?;
        }
        let mut measured = Vec::new();
        for count in &options.writers {
            eprintln!("measuring {count} writers of etcd");
            let writers: anyhow::Result<Vec<Writer>> =
                (0..*count).map(|number| self.writer(number, options.bytes)).collect();
            measured.push(load::measure(&mut writers?, options.time).await?);
        }
        Ok(measured)
    }

    fn writer(&self, number: usize, bytes: usize) -> anyhow::Result<Writer> {
        let address = self.clients.get(number % MEMBERS).context("no such member")?;
        let channel = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true).connect_lazy();
        let key = format!("w{number}").into_bytes();
        Ok(Writer { grpc: Grpc::new(channel), put: PutRequest { key, value: vec![b'x'; bytes] } })
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
