//! The peer: an istiod of the cluster `east` that reads the API server of `west` itself, with an Envoy that gets clusters
//! and endpoints from it. On API servers of its own, with the same services in `west`, and nothing else running.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use multi_cluster_e2e_kube::{ApiServer, Objects, Options};
use multi_cluster_e2e_lab::binaries::Binaries;
use multi_cluster_e2e_lab::ca::write_secret;
use multi_cluster_e2e_lab::ports::{PortChoice, Ports};
use multi_cluster_e2e_lab::process::warden::Warden;
use multi_cluster_e2e_lab::process::{ProcessSpec, Status, Supervisor};
use multi_cluster_e2e_lab::wait::{Seen, until};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::content::{NAMESPACE, Service};
use super::envoy_view::{EnvoyView, Shown};
use super::{SETTLE, offer, patches};
use crate::samples::Samples;

/// Where istiod keeps what is its own.
const SYSTEM: &str = "istio-system";
/// How long istiod may take to read both API servers and answer.
const READY: Duration = Duration::from_secs(120);
const ISTIOD: &str = "istiod";
const ENVOY: &str = "envoy";

/// How istiod is asked to treat changes of endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Debounce {
    /// As it comes: changes are gathered for 100 ms.
    Default,
    /// Each at once.
    Off,
}

impl Debounce {
    /// As figures name it.
    pub(super) fn peer(self) -> &'static str {
        match self {
            Self::Default => "istiod",
            Self::Off => "istiod, no debounce",
        }
    }
}

/// Measures the same patches with istiod, once for each way.
pub(super) async fn measure(
    program: &Path,
    services: &[Service],
    samples: usize,
) -> anyhow::Result<Vec<(Debounce, Samples)>> {
    let (east, west) =
        tokio::try_join!(ApiServer::start(Options::default()), ApiServer::start(Options::default()))?;
    let west_objects = west.objects().await?;
    west_objects.namespace(NAMESPACE).await?;
    offer(&west_objects, services).await?;
    let east_objects = east.objects().await?;
    east_objects.namespace(SYSTEM).await?;
    east_objects.apply(remote_secret(&west.kubeconfig_text("admin", west.ca()))).await?;
    let kubeconfig = east.kubeconfig("admin")?;
    let (mut services, mut measured) = (services.to_vec(), Vec::new());
    for debounce in [Debounce::Default, Debounce::Off] {
        eprintln!("measuring {samples} patches with {}", debounce.peer());
        let peer = Peer::start(program, &kubeconfig, debounce)?;
        let figures = peer.measure(&west_objects, &mut services, samples).await;
        let figures = figures.map_err(|error| peer.with_logs(&error));
        peer.supervisor.stop_all().await;
        peer.supervisor.leave().await;
        measured.push((debounce, figures?));
    }
    east.stop().await;
    west.stop().await;
    Ok(measured)
}

/// What tells an istiod of another cluster: a kubeconfig for it.
fn remote_secret(kubeconfig: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {
            "name": "istio-remote-secret-west", "namespace": SYSTEM,
            "labels": {"istio/multiCluster": "true"},
            "annotations": {"networking.istio.io/cluster": "west"},
        },
        "stringData": {"west": kubeconfig},
    })
}

/// An istiod and its Envoy.
struct Peer {
    // Dropped in this order: first the processes, then what they write to.
    supervisor: Supervisor,
    dir: TempDir,
    admin: SocketAddr,
}

impl Peer {
    fn start(program: &Path, kubeconfig: &Path, debounce: Debounce) -> anyhow::Result<Self> {
        let warden = Warden::start(&Binaries::locate()?.program("isthmus-lab")?)?;
        let dir = TempDir::with_prefix("isthmus-istiod-")?;
        let mut ports = Ports::new(PortChoice::Random);
        let mut pick = || ports.pick(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let (xds, http, monitoring, admin) = (pick()?, pick()?, pick()?, pick()?);
        let mesh = dir.path().join("mesh.yaml");
        // A stock Envoy has none of Istio's own filters, which these settings would have it load.
        write_secret(&mesh, "enableAutoMtls: false\n")?;
        let bootstrap = dir.path().join("envoy.json");
        write_secret(&bootstrap, &bootstrap_json(xds, admin).to_string())?;
        let supervisor = Supervisor::new(warden);
        supervisor.remove_on_death(dir.path().to_owned());
        let this = Self { supervisor, dir, admin };
        let eds = if debounce == Debounce::Off { "false" } else { "true" };
        let environment = [
            ("CLUSTER_ID", "east"),
            ("POD_NAME", ISTIOD),
            ("POD_NAMESPACE", SYSTEM),
            ("INJECT_ENABLED", "false"),
            ("PILOT_ENABLE_METADATA_EXCHANGE", "false"),
            ("PILOT_ENABLE_ALPN_FILTER", "false"),
            ("PILOT_ENABLE_EDS_DEBOUNCE", eds),
        ];
        let mut args: Vec<OsString> =
            environment.iter().map(|(name, value)| format!("{name}={value}").into()).collect();
        args.extend([program.into(), "discovery".into(), "--kubeconfig".into(), kubeconfig.into()]);
        args.extend(["--meshConfig".into(), mesh.into()]);
        let flags = [
            format!("--grpcAddr={xds}"),
            format!("--httpAddr={http}"),
            format!("--monitoringAddr={monitoring}"),
            "--httpsAddr=".to_owned(),
            "--secureGRPCAddr=".to_owned(),
            "--registries=Kubernetes".to_owned(),
        ];
        args.extend(flags.map(OsString::from));
        this.launch(ISTIOD, PathBuf::from("/usr/bin/env"), args)?;
        let words = ["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning", "-c"];
        let mut args: Vec<OsString> = words.into_iter().map(OsString::from).collect();
        args.push(bootstrap.into());
        this.launch(ENVOY, Binaries::envoy()?, args)?;
        Ok(this)
    }

    fn launch(&self, name: &str, program: PathBuf, args: Vec<OsString>) -> anyhow::Result<()> {
        let log = self.log(name);
        self.supervisor.launch(ProcessSpec { name: name.to_owned(), program, args, log }).map(drop)
    }

    async fn measure(
        &self,
        west: &Objects,
        services: &mut [Service],
        samples: usize,
    ) -> anyhow::Result<Samples> {
        let envoy = EnvoyView::new(self.admin, Shown::Endpoints)?;
        let look = || async {
            for name in [ISTIOD, ENVOY] {
                if let Status::Exited { how } = self.supervisor.status(name)? {
                    bail!("{name} ended by itself ({how})");
                }
            }
            Ok(Seen::from_result(envoy.answers().await))
        };
        until("istiod and its Envoy to be up", READY, look).await?;
        for service in services.iter() {
            envoy.until(service, service.ready(), SETTLE).await.context("its Envoy never had all")?;
        }
        let (_, arrived) = patches(west, &envoy, services, samples).await?;
        Ok(arrived)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}.log"))
    }

    fn with_logs(&self, error: &anyhow::Error) -> anyhow::Error {
        let tail = |name: &str| {
            let log = std::fs::read_to_string(self.log(name)).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default().join("\n");
            format!("the end of the log of {name}:\n{end}")
        };
        anyhow::anyhow!("{error:#}\n{}\n{}", tail(ISTIOD), tail(ENVOY))
    }
}

/// An Envoy that asks for clusters and their endpoints only, as a sidecar in `east`.
fn bootstrap_json(xds: SocketAddr, admin: SocketAddr) -> Value {
    let socket = |address: SocketAddr| json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}});
    json!({
        "node": {
            "id": format!("sidecar~10.250.0.1~client.{NAMESPACE}~{NAMESPACE}.svc.cluster.local"),
            "cluster": "client",
            "metadata": {"NAMESPACE": NAMESPACE, "CLUSTER_ID": "east", "GENERATOR": ""},
        },
        "admin": {"address": socket(admin)},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": true,
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}],
            },
            "cds_config": {"ads": {}, "resource_api_version": "V3"},
        },
        "static_resources": {"clusters": [{
            "name": "xds-grpc", "type": "STATIC", "connect_timeout": "1s",
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": {"http2_protocol_options": {}},
                },
            },
            "load_assignment": {
                "cluster_name": "xds-grpc",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(xds)}}]}],
            },
        }]},
    })
}
