//! `isthmus-agent coredns print|apply|remove`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use agent_kubernetes::Client;
use agent_kubernetes::connect::{ClientOptions, Trouble, connect};
use agent_kubernetes::coredns::{self, Roll};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use federation_model::ServiceId;
use k8s_openapi::api::core::v1::Service;
use tonic::codegen::http::Request;

use super::PROBLEMS;
use crate::config::Config;

/// The Service in front of the agent's DNS, in the namespace of the agent.
const SERVICE: &str = "isthmus-dns";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  isthmus-agent coredns print --dns-address 10.96.0.53
  isthmus-agent coredns apply --config agent.toml
  isthmus-agent coredns apply --dns-service isthmus-system/isthmus-dns --restart
  isthmus-agent coredns remove --kubeconfig ~/.kube/config --context kind-east")]
pub(super) struct CoreDnsArgs {
    #[command(subcommand)]
    action: Action,
    /// The agent's configuration file: how to reach the API server, and where the agent is installed
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The Service in front of the agent's DNS [default: isthmus-dns in the namespace of the configuration]
    #[arg(long, value_name = "NAMESPACE/NAME", global = true)]
    dns_service: Option<ServiceId>,
    /// The address of that Service, if it is known
    #[arg(long, value_name = "IP", global = true, conflicts_with = "dns_service")]
    dns_address: Option<IpAddr>,
    /// Kubeconfig, where there is no configuration file [default: that of the pod]
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "config")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME", global = true, requires = "kubeconfig")]
    context: Option<String>,
    /// Replace the pods of CoreDNS now, instead of waiting up to two minutes until they reload
    #[arg(long, global = true)]
    restart: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the block for those who look after their Corefile themselves
    Print,
    /// Put the block into ConfigMap kube-system/coredns; nothing else in it is touched
    Apply,
    /// Take the block out again
    Remove,
}

pub(super) async fn run(args: &CoreDnsArgs) -> ExitCode {
    match act(args).await {
        Ok(said) => {
            print!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("isthmus-agent: {error:#}");
            ExitCode::from(PROBLEMS)
        }
    }
}

async fn act(args: &CoreDnsArgs) -> anyhow::Result<String> {
    let roll = if args.restart { Roll::Always } else { Roll::IfNeeded };
    Ok(match args.action {
        Action::Print => coredns::stub_zone(address(args).await?),
        Action::Apply => {
            let dns = address(args).await?;
            format!("{}\n", coredns::apply(&client(args).await?, dns, roll).await?)
        }
        Action::Remove => format!("{}\n", coredns::remove(&client(args).await?, roll).await?),
    })
}

async fn client(args: &CoreDnsArgs) -> anyhow::Result<Client> {
    let options = match &args.config {
        Some(file) => {
            let config = Config::load(file)?;
            let kubernetes = config.kubernetes().context("the configuration has no [source.kubernetes]")?;
            ClientOptions { kubeconfig: kubernetes.kubeconfig.clone(), context: kubernetes.context.clone() }
        }
        None => ClientOptions { kubeconfig: args.kubeconfig.clone(), context: args.context.clone() },
    };
    Ok(connect(&options).await?)
}

async fn address(args: &CoreDnsArgs) -> anyhow::Result<IpAddr> {
    if let Some(address) = args.dns_address {
        return Ok(address);
    }
    let service = match (&args.dns_service, &args.config) {
        (Some(service), _) => service.clone(),
        (None, Some(file)) => {
            let config = Config::load(file)?;
            let kubernetes = config.kubernetes().context("the configuration has no [source.kubernetes]")?;
            ServiceId { namespace: kubernetes.namespace.clone(), name: SERVICE.parse()? }
        }
        (None, None) => bail!("give --config FILE, --dns-service NAMESPACE/NAME or --dns-address IP"),
    };
    address_of(&client(args).await?, &service).await
}

/// The ClusterIP of a Service.
async fn address_of(client: &Client, service: &ServiceId) -> anyhow::Result<IpAddr> {
    let path = format!("/api/v1/namespaces/{}/services/{}", service.namespace, service.name);
    let request = Request::get(path).body(Vec::new())?;
    let found: Result<Service, _> = client.request(request).await;
    let found = found.map_err(|error| Trouble::of(&error)).with_context(|| format!("Service {service}"))?;
    let address = found.spec.and_then(|spec| spec.cluster_ip).unwrap_or_default();
    address.parse().with_context(|| {
        format!(
            "Service {service} has no ClusterIP (it says {address:?}): CoreDNS needs an address that stays"
        )
    })
}
