//! Bringing a lab up, in order: authority, servers, join tokens, agents and backends, gateways, Envoys. Each step waits
//! for what the next one needs, and the last for what a user will try first.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpStream;

use crate::ca::write_secret;
use crate::client::dns;
use crate::lab::{Lab, Say};
use crate::layout::make_private;
use crate::render::agent::{agent_toml, system_name_servers};
use crate::render::gateway::gateway_toml;
use crate::render::manifests::sample_files;
use crate::render::server::server_toml;
use crate::samples::{NAMESPACE, Offer, samples};
use crate::topology::{ClusterPlace, SERVICE_PORT, Trust};
use crate::wait::{Seen, until};
use crate::{ca, envoy};

/// How long the clusterset may take to agree on everything once all processes are ready.
const CONVERGE: Duration = Duration::from_secs(30);
/// How long a join token is good for: the agents use theirs at once.
const TOKEN_SECONDS: u64 = 600;

/// Starts everything.
pub(crate) async fn bring_up(lab: &Lab, say: &Say) -> anyhow::Result<()> {
    let topology = lab.topology();
    make_private(&lab.layout().root().join("logs"))?;
    lab.save()?;
    say("making the clusterset's certificate authority and an operator's certificate");
    match topology.trust {
        Trust::Separate => ca::create(lab.layout(), &topology.clusterset)?,
        Trust::Shared => ca::create_shared(lab.layout(), topology)?,
    }

    say(&format!("starting {} federation servers", topology.servers.len()));
    servers(lab).await?;
    say("making a one-time join token for each cluster");
    tokens(lab).await?;
    say(&format!("starting agents and backends of {}", list(lab)));
    for (index, cluster) in topology.clusters.iter().enumerate() {
        manifests(lab, cluster, index)?;
        backends(lab, cluster)?;
        let config = agent_toml(lab.layout(), topology, cluster, system_name_servers())?;
        daemon(
            lab,
            &cluster.agent_name(),
            "isthmus-agent",
            &cluster_file(lab, cluster, "agent.toml"),
            &config,
        )?;
    }
    for cluster in &topology.clusters {
        lab.ready(&cluster.agent_name(), cluster.agent_http).await?;
    }
    say("starting gateways");
    for cluster in &topology.clusters {
        let config = gateway_toml(lab.layout(), cluster)?;
        let path = cluster_file(lab, cluster, "gateway.toml");
        daemon(lab, &cluster.gateway_name(), "isthmus-gateway", &path, &config)?;
    }
    for cluster in &topology.clusters {
        lab.ready(&cluster.gateway_name(), cluster.gateway_http).await?;
    }
    if topology.clusters.iter().any(|cluster| cluster.envoy.is_some()) {
        say("starting Envoys");
        for cluster in &topology.clusters {
            envoy::start(lab, cluster)?;
        }
        for cluster in &topology.clusters {
            envoy::ready(lab, cluster).await?;
        }
    }
    say("waiting until every cluster can call what it may import");
    converge(lab).await?;
    lab.save()
}

fn list(lab: &Lab) -> String {
    lab.cluster_ids().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn cluster_file(lab: &Lab, cluster: &ClusterPlace, name: &str) -> PathBuf {
    lab.layout().cluster(cluster.id.as_str()).join(name)
}

/// Writes a daemon's configuration and starts it.
fn daemon(lab: &Lab, name: &str, program: &str, path: &Path, config: &str) -> anyhow::Result<()> {
    write_secret(path, config)?;
    let args = vec![OsString::from("--config"), path.into()];
    lab.launch(name, lab.binaries().program(program)?, args).map(drop)
}

async fn servers(lab: &Lab) -> anyhow::Result<()> {
    let topology = lab.topology();
    for server in &topology.servers {
        let dir = lab.layout().server(server.id);
        make_private(&dir)?;
        let config = server_toml(lab.layout(), topology, server)?;
        daemon(lab, &server.name(), "isthmus-server", &dir.join("server.toml"), &config)?;
    }
    for server in &topology.servers {
        lab.ready(&server.name(), server.http).await?;
    }
    Ok(())
}

async fn tokens(lab: &Lab) -> anyhow::Result<()> {
    let operator = lab.operator()?;
    for cluster in &lab.topology().clusters {
        let made = operator.create_token(&cluster.id, TOKEN_SECONDS).await;
        let token = made.with_context(|| format!("no join token for {}", cluster.id))?.token;
        make_private(&lab.layout().cluster(cluster.id.as_str()))?;
        write_secret(&cluster_file(lab, cluster, "join-token"), &token)?;
    }
    Ok(())
}

/// Writes the samples, but never over what an earlier lab's user left there.
fn manifests(lab: &Lab, cluster: &ClusterPlace, index: usize) -> anyhow::Result<()> {
    let kept = cluster.manifests.exists();
    make_private(&cluster.manifests)?;
    if kept {
        return Ok(());
    }
    for (name, text) in sample_files(cluster, index, &lab.cluster_ids()) {
        let path = cluster.manifests.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn backends(lab: &Lab, cluster: &ClusterPlace) -> anyhow::Result<()> {
    for backend in &cluster.backends {
        backend_process(lab, &backend.name(), cluster, &backend.service, &backend.pod, backend.address)?;
    }
    Ok(())
}

/// Starts one HTTP server that says it is `pod` of `service`.
pub fn backend_process(
    lab: &Lab,
    name: &str,
    cluster: &ClusterPlace,
    service: &str,
    pod: &str,
    listen: std::net::SocketAddr,
) -> anyhow::Result<()> {
    let listen = listen.to_string();
    let words = [
        "backend",
        "--listen",
        &listen,
        "--cluster",
        cluster.id.as_str(),
        "--service",
        service,
        "--pod",
        pod,
    ];
    let args = words.into_iter().map(OsString::from).collect();
    lab.launch(name, lab.binaries().program("isthmus-lab")?, args).map(drop)
}

/// Waits until every sample resolves where it may be seen, and until its VIP is listened on there.
async fn converge(lab: &Lab) -> anyhow::Result<()> {
    let ids = lab.cluster_ids();
    for (index, exporter) in lab.topology().clusters.iter().enumerate() {
        for sample in samples(index, &ids).into_iter().filter(|s| s.offer != Offer::Private) {
            for importer in &lab.topology().clusters {
                let visible = match &sample.offer {
                    Offer::Private => false,
                    Offer::Everyone => true,
                    Offer::Only(cluster) => cluster == &importer.id,
                };
                if visible && !cluster_kept(lab, exporter, sample.name) {
                    callable(lab, importer, sample.name, sample.headless).await?;
                }
            }
        }
    }
    Ok(())
}

/// Whether the user of an earlier lab in this directory changed what this sample is.
fn cluster_kept(lab: &Lab, exporter: &ClusterPlace, service: &str) -> bool {
    let Ok(sample) = lab.sample(exporter.id.as_str(), service) else { return true };
    let text = std::fs::read_to_string(exporter.manifests.join(sample.file_name())).unwrap_or_default();
    text != sample.to_yaml()
}

async fn callable(lab: &Lab, importer: &ClusterPlace, service: &str, headless: bool) -> anyhow::Result<()> {
    let host = format!("{service}.{NAMESPACE}.svc.clusterset.local");
    let look = || async {
        lab.expect_running(&importer.agent_name())?;
        lab.expect_running(&importer.gateway_name())?;
        let answer = match dns::query(importer.dns, &host, "A").await {
            Ok(answer) => answer,
            Err(error) => return Ok(Seen::NotYet(format!("{error:#}"))),
        };
        let Some(ip) = answer.addresses().first().copied() else { return Ok(Seen::NotYet(answer.brief())) };
        if headless {
            return Ok(Seen::Done(()));
        }
        let connected = TcpStream::connect((ip, SERVICE_PORT)).await;
        Ok(Seen::from_result(
            connected.map(drop).with_context(|| format!("{ip}:{SERVICE_PORT} does not answer")),
        ))
    };
    let waited = until(&format!("{service} to be callable in {}", importer.id), CONVERGE, look).await;
    waited.map(drop).map_err(|error| lab.with_log(&error, &importer.agent_name()))
}
