//! `up`: starts a lab in the foreground, or hands it to a process in the background.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use anyhow::{Context, bail};
use federation_model::ClusterId;
use multi_cluster_e2e_lab::control::{self, ControlServer};
use multi_cluster_e2e_lab::lab::{Lab, Say};
use multi_cluster_e2e_lab::layout::{Keep, Layout};
use multi_cluster_e2e_lab::overview;
use multi_cluster_e2e_lab::plan::LabSpec;
use multi_cluster_e2e_lab::ports::PortChoice;
use multi_cluster_e2e_lab::state::LabState;
use multi_cluster_e2e_lab::topology::Trust;

use super::supervise::READY;
use super::{Output, print, progress};

/// Where a lab is unless `--dir` says otherwise.
pub(crate) const DEFAULT_DIR: &str = ".lab";

#[derive(Debug, clap::Args)]
pub(crate) struct Up {
    /// Return as soon as the lab is up, and leave it running.
    #[arg(long)]
    detach: bool,
    /// How the final overview is printed.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    request: Request,
}

/// What lab is wanted.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Request {
    /// Keep the lab in this directory, with its YAML and logs, when it ends. Without it, the lab is in .lab, which is
    /// removed.
    #[arg(long, value_name = "DIR", env = "ISTHMUS_LAB_DIR")]
    dir: Option<PathBuf>,
    /// How many federation servers.
    #[arg(long, value_name = "N", default_value_t = 3)]
    servers: usize,
    /// Which clusters. The first is the one that calls in the examples, the second the one that answers.
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', default_values = ["east", "west", "south"])]
    clusters: Vec<ClusterId>,
    /// One real Envoy for each cluster.
    #[arg(long)]
    envoy: bool,
    /// Where the clusters' certificate authorities come from. Either way each cluster is believed by its own only.
    #[arg(long, value_enum, default_value_t)]
    trust: Trust,
}

impl Request {
    fn dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DIR))
    }

    fn to_arguments(&self) -> Vec<String> {
        let clusters: Vec<&str> = self.clusters.iter().map(ClusterId::as_str).collect();
        let mut words =
            vec!["--servers".into(), self.servers.to_string(), "--clusters".into(), clusters.join(",")];
        words.extend(self.envoy.then(|| "--envoy".to_owned()));
        if self.trust == Trust::Shared {
            words.extend(["--trust".to_owned(), "shared".to_owned()]);
        }
        words
    }
}

/// Runs the verb.
pub(crate) async fn run(up: Up) -> anyhow::Result<ExitCode> {
    if control::is_alive(&up.request.dir()).await {
        bail!("a lab runs in {} already: end it with `isthmus-lab down`", up.request.dir().display());
    }
    if up.detach {
        return detach(&up);
    }
    let show = |state: &LabState| show(state, up.output);
    live(&up.request, &progress, show).await
}

/// Brings a lab up, shows it, and keeps it until a signal or `down`.
pub(crate) async fn live(
    request: &Request,
    say: &Say,
    show: impl FnOnce(&LabState) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let signal = federation_kit::signal::shutdown()?;
    tokio::pin!(signal);
    let keep = if request.dir.is_some() { Keep::Yes } else { Keep::No };
    let layout = Layout::create(&request.dir(), keep)?;
    let spec = LabSpec {
        servers: request.servers,
        clusters: request.clusters.clone(),
        envoy: request.envoy,
        trust: request.trust,
        ports: PortChoice::Defaults,
    };
    let lab: Arc<Lab> = tokio::select! {
        lab = Lab::up(&spec, layout.clone(), say) => lab?,
        _ = &mut signal => {
            // The half of a lab that there is dies with its warden's pipe, when this process exits.
            say("interrupted; ending what was started");
            return Ok(ExitCode::from(130));
        }
    };
    let control = ControlServer::bind(&layout.control_socket())?;
    show(&lab.state())?;
    let farewell = tokio::select! {
        farewell = control.run(&lab) => Some(farewell),
        _ = &mut signal => None,
    };
    say("ending everything");
    lab.down().await?;
    if let Some(farewell) = farewell {
        farewell.answer().await;
    }
    say("nothing is left behind");
    Ok(ExitCode::SUCCESS)
}

fn show(state: &LabState, output: Output) -> anyhow::Result<()> {
    match output {
        Output::Json => print(&serde_json::to_string(state)?),
        Output::Table => print(&overview::text(state, &overview::this_program())),
    }
}

/// Starts `supervise` in the background and repeats what it says until the lab is up.
fn detach(up: &Up) -> anyhow::Result<ExitCode> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("supervise").args(up.request.to_arguments());
    if let Some(dir) = &up.request.dir {
        command.arg("--dir").arg(dir);
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // Not ours: whoever reads our own until its end would wait for the lab's.
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("cannot start the supervising process")?;
    let pipe = child.stdout.take().context("the supervising process has no output")?;
    for line in BufReader::new(pipe).lines() {
        let line = line?;
        if line == READY {
            show(&LabState::read(&up.request.dir())?, up.output)?;
            return Ok(ExitCode::SUCCESS);
        }
        progress(&line);
    }
    bail!("the lab did not come up");
}
