//! `dig`: a question to one cluster's DNS server.

use std::fmt::Write;
use std::process::ExitCode;

use multi_cluster_e2e_lab::client::dns;
use multi_cluster_e2e_lab::state::LabState;

use super::{Output, Which, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Dig {
    /// The cluster whose server is asked.
    cluster: String,
    /// The name.
    name: String,
    /// The type of record: A, AAAA, SRV.
    #[arg(value_name = "TYPE", default_value = "A")]
    kind: String,
    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    which: Which,
}

/// Runs the verb. Exit code 1 unless the name exists.
pub(crate) async fn run(dig: &Dig) -> anyhow::Result<ExitCode> {
    let state = LabState::read(&dig.which.dir)?;
    let server = state.topology.cluster(&dig.cluster)?.dns;
    let answer = dns::query(server, &dig.name, &dig.kind).await?;
    match dig.output {
        Output::Json => print(&serde_json::to_string(&answer)?)?,
        Output::Table => {
            let mut text = format!(";; {} from {server} in {} us", answer.status, answer.micros);
            for record in &answer.records {
                write!(text, "\n{}\t{}\tIN\t{}\t{}", record.name, record.ttl, record.kind, record.data)?;
            }
            print(&text)?;
        }
    }
    Ok(if answer.status == "NOERROR" { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
