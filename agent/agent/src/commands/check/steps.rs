//! The steps that ask one thing each.

use std::time::Duration;

use agent_kubernetes::Client;
use agent_kubernetes::permissions::{self, IDENTITY_SECRET};
use agent_kubernetes::secrets::SecretStore;
use federation_kit::exit::chain;
use tokio::net::TcpStream;

use super::report::Report;
use crate::config::{Config, KubernetesConfig};
use crate::upstream::joining;

/// How long a server may take to accept a connection.
const DIAL: Duration = Duration::from_secs(3);

/// Every rule that our role lacks, with what it is for. The rules for writing are not needed by an agent that is told
/// not to write, so that what is missing is told and no fault.
pub(super) async fn permissions(client: &Client, config: &KubernetesConfig, report: &mut Report) {
    match permissions::missing(client, &config.namespace).await {
        Ok(missing) if missing.is_empty() => {
            report.step("permissions", true, "every rule that the agent needs");
        }
        Ok(missing) => {
            for missing in missing {
                let reads = missing.verbs.iter().any(|verb| matches!(*verb, "get" | "list" | "watch"));
                let needed = config.write || reads;
                let note = if needed { "" } else { " (not needed: write = false)" };
                report.step("permissions", !needed, format!("{missing}{note}"));
            }
        }
        Err(trouble) => report.step("permissions", false, trouble.to_string()),
    }
}

/// Whether this agent is a member, or has something to join with.
pub(super) async fn papers(
    client: &Client,
    config: &Config,
    kubernetes: &KubernetesConfig,
    report: &mut Report,
) {
    let name = format!("Secret {}/{IDENTITY_SECRET}", kubernetes.namespace);
    match SecretStore::new(client.clone(), kubernetes.namespace.to_string(), IDENTITY_SECRET).load().await {
        Ok(Some(papers)) if papers.contains_key("membership.json") => {
            report.step("membership", true, format!("joined; kept in {name}"));
        }
        Ok(_) => match joining::token_of(config) {
            Ok(()) => report.step("membership", true, "not joined yet; there is a join token"),
            Err(error) => report.step("membership", false, chain(&error).to_string()),
        },
        Err(error) => report.step("membership", false, chain(&error).to_string()),
    }
}

/// Whether the federation's servers can be dialled. One is enough to work with.
pub(super) async fn servers(config: &Config, report: &mut Report) {
    let mut reached = 0;
    let mut told = Vec::new();
    for server in config.servers.get().iter() {
        let problem = match tokio::time::timeout(DIAL, TcpStream::connect(server.as_str())).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer within {} s", DIAL.as_secs())),
        };
        match problem {
            None => {
                reached += 1;
                told.push(format!("{server} answers"));
            }
            Some(problem) => told.push(format!("{server}: {problem}")),
        }
    }
    report.step("servers", reached > 0, told.join("; "));
}
