//! `backend` (hidden): a sample HTTP server.

use std::net::SocketAddr;
use std::process::ExitCode;

use multi_cluster_e2e_lab::backend::{Pod, serve};

#[derive(Debug, clap::Args)]
pub(crate) struct Backend {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    cluster: String,
    #[arg(long)]
    service: String,
    #[arg(long)]
    pod: String,
}

/// Serves until SIGTERM.
pub(crate) async fn run(backend: Backend) -> anyhow::Result<ExitCode> {
    let signal = federation_kit::signal::shutdown()?;
    let Backend { listen, cluster, service, pod } = backend;
    let stop = async {
        signal.await;
    };
    serve(listen, Pod { cluster, service, pod }, stop).await?;
    Ok(ExitCode::SUCCESS)
}
