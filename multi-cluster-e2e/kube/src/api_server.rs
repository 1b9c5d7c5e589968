//! One API server with its etcd, from the first process to the last.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use kube::config::{KubeConfigOptions, Kubeconfig};
use multi_cluster_e2e_lab::binaries::Binaries as OurBinaries;
use multi_cluster_e2e_lab::ca::write_secret;
use multi_cluster_e2e_lab::loopback::LoopbackBlock;
use multi_cluster_e2e_lab::ports::{PortChoice, Ports};
use multi_cluster_e2e_lab::process::warden::Warden;
use multi_cluster_e2e_lab::process::{ProcessSpec, Status, Supervisor};
use multi_cluster_e2e_lab::wait::{Seen, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::audit::{self, AuditEvent, AuditMark};
use crate::binaries::Binaries;
use crate::objects::{Kind, Objects};
use crate::options::{ADMIN, Options, User};
use crate::{certificates, crds, kubeconfig};

/// How long an API server may take to be ready: usually 5 s, on a machine that also compiles a multiple of it.
const READY: Duration = Duration::from_secs(120);
/// Lines of a log that an error shows.
const LOG_LINES: usize = 15;
const ETCD: &str = "etcd";
const API: &str = "kube-apiserver";
const CONTROLLERS: &str = "kube-controller-manager";
/// The controllers that act without nodes and pods.
const CONTROLLERS_RUN: &str = "namespace-controller,garbage-collector-controller,endpointslice-controller,\
                               serviceaccount-controller,service-lb-controller";
/// Any address that is not loopback (RFC 5737): the API server insists on one, and nobody is told of it.
const ADVERTISED: &str = "192.0.2.1";
const AUDIT_POLICY: &str =
    "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n";

/// A running API server. [`ApiServer::stop`] ends it in order; when it is dropped without, or the test dies, the warden
/// kills its processes and removes its directory.
#[derive(Debug)]
pub struct ApiServer {
    // Dropped in this order: first the processes, then what they write to, then the address.
    supervisor: Supervisor,
    dir: TempDir,
    _block: LoopbackBlock,
    address: SocketAddr,
    ca: String,
}

impl ApiServer {
    /// Starts one and returns when it answers.
    ///
    /// # Errors
    /// When a program is missing (with what to run), or one ends or is not ready in time (with the end of its log).
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let binaries = Binaries::find()?;
        let warden = Warden::start(&OurBinaries::locate()?.program("isthmus-lab")?)?;
        let block = LoopbackBlock::claim(1, PortChoice::Random)?.pop().context("no loopback addresses")?;
        let ip = IpAddr::V4(Ipv4Addr::new(127, block.octet(), 253, 1));
        let dir = TempDir::with_prefix("isthmus-kube-")?;
        let supervisor = Supervisor::new(warden);
        supervisor.remove_on_death(dir.path().to_owned());
        certificates::create(dir.path(), ip)?;
        let ca = std::fs::read_to_string(dir.path().join("ca.crt"))?;
        let mut ports = Ports::new(PortChoice::Random);
        let (clients, peers, address) = (ports.pick(ip, 0)?, ports.pick(ip, 0)?, ports.pick(ip, 0)?);
        let this = Self { supervisor, dir, _block: block, address, ca };
        this.write_users(&options)?;
        this.launch(&binaries, ETCD, &etcd_args(this.path(), clients, peers))?;
        this.launch(&binaries, API, &api_args(this.path(), clients, address, options.audit))?;
        this.ready().await?;
        if options.controller_manager {
            this.launch(&binaries, CONTROLLERS, &controller_args(&this.kubeconfig(ADMIN)?, this.path()))?;
            this.default_account().await?;
        }
        Ok(this)
    }

    /// Ends everything and waits until it has ended.
    pub async fn stop(self) {
        // A stopped process does not hear a request to end.
        let _ = self.thaw();
        self.supervisor.stop_all().await;
        self.supervisor.leave().await;
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its certificate authority, as PEM.
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// A kubeconfig of `user`, as a file that lives as long as this value.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn kubeconfig(&self, user: &str) -> anyhow::Result<PathBuf> {
        let path = self.path().join(format!("{user}.kubeconfig"));
        write_secret(&path, &self.kubeconfig_text(user, &self.ca))?;
        Ok(path)
    }

    /// The text of a kubeconfig of `user` that trusts `ca` (PEM), which need not be the right one.
    pub fn kubeconfig_text(&self, user: &str, ca: &str) -> String {
        kubeconfig::text(self.address, ca, user)
    }

    /// A client of `user`.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used. The API server is not asked.
    pub async fn client(&self, user: &str) -> anyhow::Result<kube::Client> {
        let file = Kubeconfig::from_yaml(&self.kubeconfig_text(user, &self.ca))?;
        let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        Ok(kube::Client::try_from(config)?)
    }

    /// Its objects, as [`ADMIN`].
    ///
    /// # Errors
    /// As of [`Self::client`].
    pub async fn objects(&self) -> anyhow::Result<Objects> {
        Ok(Objects::new(self.client(ADMIN).await?))
    }

    /// Installs the CRDs in `files` (YAML), and waits until they are served.
    ///
    /// # Errors
    /// When a file cannot be read or is refused.
    pub async fn install_crds(&self, files: &[PathBuf]) -> anyhow::Result<()> {
        crds::install(&self.objects().await?, files).await
    }

    /// Ends the API server at once; etcd stays.
    ///
    /// # Errors
    /// Never in practice.
    pub async fn stop_api(&self) -> anyhow::Result<()> {
        self.supervisor.stop(API, true).await
    }

    /// Starts the API server again, with the same data on the same address, and waits until it is ready.
    ///
    /// # Errors
    /// When it runs, or does not become ready.
    pub async fn start_api(&self) -> anyhow::Result<()> {
        self.supervisor.start(API)?;
        self.ready().await
    }

    /// Stops the API server's process (SIGSTOP): connections stay open, and nobody answers.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal(API, Signal::SIGSTOP)
    }

    /// Lets a frozen API server go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal(API, Signal::SIGCONT)
    }

    /// The processes by name.
    pub fn processes(&self) -> std::collections::BTreeMap<String, Status> {
        self.supervisor.statuses()
    }

    /// A point in the audit log: now.
    ///
    /// # Errors
    /// When there is none.
    pub fn audit_mark(&self) -> anyhow::Result<AuditMark> {
        audit::mark(&self.audit_log())
    }

    /// Every request that was answered since `since`.
    ///
    /// # Errors
    /// When there is no audit log, or it is not one.
    pub fn audit(&self, since: &AuditMark) -> anyhow::Result<Vec<AuditEvent>> {
        audit::since(&self.audit_log(), since)
    }

    /// The same, only those that write.
    ///
    /// # Errors
    /// As of [`Self::audit`].
    pub fn audit_writes(&self, since: &AuditMark) -> anyhow::Result<Vec<AuditEvent>> {
        Ok(self.audit(since)?.into_iter().filter(AuditEvent::is_write).collect())
    }

    fn audit_log(&self) -> PathBuf {
        self.path().join("audit.log")
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn log(&self, name: &str) -> PathBuf {
        self.path().join(format!("{name}.log"))
    }

    fn write_users(&self, options: &Options) -> anyhow::Result<()> {
        let admin = User { name: ADMIN.to_owned(), groups: vec!["system:masters".to_owned()] };
        let tokens: String = std::iter::once(&admin).chain(&options.users).map(User::csv).collect();
        write_secret(&self.path().join("tokens.csv"), &tokens)?;
        write_secret(&self.path().join("audit-policy.yaml"), AUDIT_POLICY)
    }

    fn launch(&self, binaries: &Binaries, name: &str, args: &[String]) -> anyhow::Result<()> {
        let args = args.iter().map(OsString::from).collect();
        let program = binaries.program(name);
        self.supervisor
            .launch(ProcessSpec { name: name.to_owned(), program, args, log: self.log(name) })
            .map(drop)
    }

    async fn ready(&self) -> anyhow::Result<()> {
        let client = self.client(ADMIN).await?;
        let look = || async {
            for name in [ETCD, API] {
                if let Status::Exited { how } = self.supervisor.status(name)? {
                    bail!("{name} ended by itself ({how})");
                }
            }
            let request = http::Request::get("/readyz").body(Vec::new())?;
            let asked = client.request_text(request).await;
            Ok(Seen::from_result(asked.map(drop).context("/readyz does not answer with 200")))
        };
        match until("the API server to be ready", READY, look).await {
            Ok(_) => Ok(()),
            Err(error) => Err(anyhow!("{error:#}\n{}\n{}", self.log_tail(ETCD), self.log_tail(API))),
        }
    }

    /// Waits for the first thing that the controllers do in a new cluster: pods could be made from here on.
    async fn default_account(&self) -> anyhow::Result<()> {
        let objects = self.objects().await?;
        let look = || async {
            let found = objects.get(Kind::SERVICE_ACCOUNT, "default", "default").await?;
            Ok(found.map_or_else(|| Seen::NotYet("no service account".to_owned()), |_| Seen::Done(())))
        };
        let waited = until("the controllers to work", READY, look).await;
        waited.map(drop).map_err(|error| anyhow!("{error:#}\n{}", self.log_tail(CONTROLLERS)))
    }

    fn log_tail(&self, name: &str) -> String {
        let text = std::fs::read(self.log(name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default();
        format!("the end of the log of {name}:\n{}", last.join("\n"))
    }

    fn signal(&self, name: &str, signal: Signal) -> anyhow::Result<()> {
        let pid = self.supervisor.status(name)?.pid().with_context(|| format!("{name} does not run"))?;
        // Between the look and the signal the pid cannot be reused: its owner reaps it in this process, and a test that
        // stops and freezes at the same time does neither for sure.
        kill(Pid::from_raw(pid.try_into()?), signal)
            .with_context(|| format!("cannot send {signal} to {name}"))
    }
}

fn etcd_args(dir: &Path, clients: SocketAddr, peers: SocketAddr) -> Vec<String> {
    vec![
        format!("--data-dir={}", dir.join("etcd").display()),
        format!("--listen-client-urls=http://{clients}"),
        format!("--advertise-client-urls=http://{clients}"),
        format!("--listen-peer-urls=http://{peers}"),
        format!("--initial-advertise-peer-urls=http://{peers}"),
        format!("--initial-cluster=default=http://{peers}"),
        // A test outlives no power cut.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ]
}

fn api_args(dir: &Path, etcd: SocketAddr, address: SocketAddr, audit: bool) -> Vec<String> {
    let file = |name: &str| dir.join(name).display().to_string();
    let mut args = vec![
        format!("--etcd-servers=http://{etcd}"),
        format!("--bind-address={}", address.ip()),
        format!("--secure-port={}", address.port()),
        format!("--advertise-address={ADVERTISED}"),
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--tls-cert-file={}", file("tls.crt")),
        format!("--tls-private-key-file={}", file("tls.key")),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", file("sa.pub")),
        format!("--service-account-signing-key-file={}", file("sa.key")),
        "--authorization-mode=RBAC".to_owned(),
        format!("--token-auth-file={}", file("tokens.csv")),
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--profiling=false".to_owned(),
    ];
    if audit {
        args.push(format!("--audit-policy-file={}", file("audit-policy.yaml")));
        args.push(format!("--audit-log-path={}", file("audit.log")));
    }
    args
}

fn controller_args(kubeconfig: &Path, dir: &Path) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--service-account-private-key-file={}", dir.join("sa.key").display()),
        format!("--root-ca-file={}", dir.join("ca.crt").display()),
        format!("--controllers={CONTROLLERS_RUN}"),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
    ]
}
