//! `curl`: a request as a pod of one cluster makes it.

use std::process::ExitCode;

use multi_cluster_e2e_lab::client::http;
use multi_cluster_e2e_lab::state::LabState;

use super::{Output, Which, print, progress};

#[derive(Debug, clap::Args)]
pub(crate) struct Curl {
    /// The cluster to call from.
    cluster: String,
    /// What to call: http://<service>.<namespace>.svc.clusterset.local:<port>/...
    url: String,
    /// Through the cluster's Envoy instead of its egress gateway.
    #[arg(long)]
    envoy: bool,
    /// The body only, or everything as JSON.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    which: Which,
}

/// Runs the verb. Exit code 1 unless the answer is a 2xx.
pub(crate) async fn run(curl: &Curl) -> anyhow::Result<ExitCode> {
    let state = LabState::read(&curl.which.dir)?;
    let cluster = state.topology.cluster(&curl.cluster)?;
    let answer = if curl.envoy {
        http::get_through_envoy(cluster, &curl.url).await?
    } else {
        http::get(cluster, &curl.url).await?
    };
    match curl.output {
        Output::Json => print(&serde_json::to_string(&answer)?)?,
        Output::Table => {
            let (whole, part) = (answer.micros / 1000, answer.micros % 1000 / 100);
            progress(&format!("HTTP {} from {} in {whole}.{part} ms", answer.status, answer.dialled));
            print(&answer.body)?;
        }
    }
    Ok(if (200..300).contains(&answer.status) { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
