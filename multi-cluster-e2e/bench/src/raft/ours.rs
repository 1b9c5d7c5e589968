//! Writers of the federation: each is a cluster that publishes one export, again and again.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use federation_api::federation as wire;
use federation_api::federation::export::{Mtls, Scope};
use federation_api::federation::federation_client::FederationClient;
use federation_api::federation::publish_request::Message as Say;
use federation_api::federation::publish_response::Message as Answer;
use federation_client::{Servers, Timing, join};
use federation_kit::grpc::connect_tls;
use federation_trust::authorize::FederationServers;
use federation_trust::tls::{ClientTls, Server, client_config};
use federation_trust::{BundleSet, PrivateKey, SharedBundles, SharedIdentity};
use multi_cluster_e2e_lab::lab::Lab;
use multi_cluster_e2e_lab::plan::LabSpec;
use multi_cluster_e2e_lab::ports::PortChoice;
use prost::Message;
use rustls_pki_types::ServerName;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::Options;
use super::load::{self, Load, Write};

/// How long a join token is good for: each is used at once.
const TOKEN_SECONDS: u64 = 600;

/// Measures each case on the same three servers.
pub(super) async fn measure(options: &Options) -> anyhow::Result<Vec<Load>> {
    // A lab has at least one cluster; it is idle.
    let clusters = vec!["idle".parse()?];
    let lab = Lab::temporary(LabSpec { clusters, ports: PortChoice::Random, ..LabSpec::default() }).await?;
    let measured = tokio::select! {
        measured = run(&lab, options) => measured,
        interrupted = tokio::signal::ctrl_c() => Err(interrupted.map_or_else(Into::into, |()| anyhow::anyhow!("interrupted"))),
    };
    lab.down().await?;
    measured
}

async fn run(lab: &Arc<Lab>, options: &Options) -> anyhow::Result<Vec<Load>> {
    let most = options.writers.iter().max().copied().unwrap_or_default();
    eprintln!("joining {most} clusters");
    let mut all = Vec::new();
    for number in 0..most {
        all.push(Writer::join(lab, number, options.bytes).await?);
    }
    let mut measured = Vec::new();
    for count in &options.writers {
        eprintln!("measuring {count} writers");
        let mut some: Vec<Writer> = all.drain(..*count).collect();
        measured.push(load::measure(&mut some, options.time).await?);
        all.extend(some);
    }
    Ok(measured)
}

/// One cluster.
struct Writer {
    say: mpsc::Sender<wire::PublishRequest>,
    answers: Streaming<wire::PublishResponse>,
    export: wire::Export,
}

impl Writer {
    async fn join(lab: &Lab, number: usize, bytes: usize) -> anyhow::Result<Self> {
        let name = format!("w{number}");
        let addresses: Vec<String> = lab.topology().api_addresses().iter().map(ToString::to_string).collect();
        let address = addresses.get(number % addresses.len().max(1)).context("a lab without servers")?;
        let token = lab.operator()?.create_token(&name.parse()?, TOKEN_SECONDS).await?.token.parse()?;
        let servers = Servers::new(vec![address.clone()])?;
        let joined = join(&servers, &token, &PrivateKey::generate()?, &Timing::default()).await?;
        let (bundles, _) = BundleSet::from_bundles([&joined.bundle]);
        let authorize = Arc::new(FederationServers { clusterset: Some(joined.clusterset.clone()) });
        let tls = client_config(ClientTls {
            identity: Some(SharedIdentity::new(joined.identity)),
            server: Server::Bundles { bundles: SharedBundles::new(bundles), authorize },
            alpn: vec![b"h2".to_vec()],
        })?;
        let channel = connect_tls(address.clone(), tls, ServerName::try_from("federation.isthmus")?);
        let (say, said) = mpsc::channel(1);
        let hello = wire::Registration {
            instance: format!("{number:032x}"),
            network: "n".to_owned(),
            trust_domain: format!("{name}.{}", joined.clusterset),
            ..wire::Registration::default()
        };
        say.send(wire::PublishRequest { message: Some(Say::Hello(hello)) }).await?;
        let answers = FederationClient::new(channel).publish(ReceiverStream::new(said)).await?.into_inner();
        let mut this = Self { say, answers, export: export(&name, bytes) };
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
        self.say.send(wire::PublishRequest { message: Some(Say::Put(self.export.clone())) }).await?;
        self.committed().await
    }
}

/// An export that nobody else may see, of so many bytes as it is sent.
fn export(name: &str, bytes: usize) -> wire::Export {
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
        scope: Some(Scope::Clusters(wire::ClusterList { clusters: vec!["nobody".to_owned()] })),
        mtls: Some(Mtls::Gateway(wire::GatewayMtls {})),
        localities: vec![wire::Locality { zone: String::new(), ready: 1, total: 1 }],
        ..wire::Export::default()
    };
    let filler = bytes.saturating_sub(export.encoded_len());
    export.annotations = HashMap::from([("filler".to_owned(), "x".repeat(filler))]).into_iter().collect();
    export
}
