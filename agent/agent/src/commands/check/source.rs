//! What the source sees, seen by the source itself.

use std::sync::Arc;
use std::time::Duration;

use agent_kubernetes::Client;
use agent_kubernetes::source::{Feeds, KubernetesSource, SourceOptions};
use agent_plan::mcs::observed::{Capabilities, McsVersion};
use agent_plan::source_state::{Severity, SourceState};
use federation_kit::drain;
use federation_kit::exit::chain;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use super::report::Report;
use crate::config::{Config, KubernetesConfig, SourceConfig};
use crate::source::files::FilesSource;

/// How long everything may take to be listed.
const LIST: Duration = Duration::from_secs(20);

/// Runs the source until everything was listed, and says what it saw.
pub(super) async fn kubernetes(client: &Client, config: &KubernetesConfig, report: &mut Report) {
    // Nothing is kept: the snapshot of an agent must not come from a check.
    let directory = std::env::temp_dir().join(format!("isthmus-check-{:016x}", rand::random::<u64>()));
    if let Err(error) = federation_kit::files::create_private_dir(&directory) {
        return report.step("objects", false, chain(&error).to_string());
    }
    let options = SourceOptions {
        gateway_service: Some(config.gateway_service.clone()),
        snapshot: directory.join("objects.snapshot"),
    };
    match KubernetesSource::open(client.clone(), options, &mut Registry::default()) {
        Ok((source, feeds)) => watch_kubernetes(source, feeds, config, report).await,
        Err(error) => report.step("objects", false, chain(&error).to_string()),
    }
    // What is left of it is nobody's problem.
    let _ = std::fs::remove_dir_all(&directory);
}

async fn watch_kubernetes(
    source: KubernetesSource,
    feeds: Feeds,
    config: &KubernetesConfig,
    report: &mut Report,
) {
    let Feeds { state, mut observed, gateways } = feeds;
    let status = source.status();
    let (trigger, watcher) = drain::channel();
    let running = source.run(watcher);
    let listed = tokio::time::timeout(LIST, observed.wait_for(|observed| observed.complete));
    let complete = tokio::select! {
        listed = listed => matches!(listed, Ok(Ok(_))),
        () = running => false,
    };
    drop(trigger);
    if !complete {
        let waiting = status.watches().into_iter().filter(|watch| !watch.synced);
        let waiting: Vec<String> = waiting
            .map(|watch| match watch.problem {
                Some(problem) => format!("{}: {problem}", watch.kind.word()),
                None => watch.kind.word().to_owned(),
            })
            .collect();
        report.step(
            "objects",
            false,
            format!("not listed within {} s: {}", LIST.as_secs(), waiting.join("; ")),
        );
    }
    let observed = Arc::clone(&observed.borrow());
    crds(&observed.capabilities, report);
    objects(&state, report);
    let gateways = Arc::clone(&gateways.borrow());
    let service = &config.gateway_service;
    let addresses: Vec<String> =
        gateways.external.iter().map(|gateway| gateway.address.to_string()).collect();
    match &gateways.problem {
        Some(problem) => report.step("gateways", false, format!("Service {service}: {problem}")),
        None => report.step(
            "gateways",
            true,
            format!("Service {service}: {} ready; others dial {}", gateways.ready.len(), named(&addresses)),
        ),
    }
}

fn crds(found: &Capabilities, report: &mut Report) {
    let kinds = [
        ("ServiceExport", found.exports.map(McsVersion::as_str), "nothing can be exported"),
        (
            "ServiceImport",
            found.imports.map(McsVersion::as_str),
            "no imports are shown, and pods without a proxy reach none",
        ),
        ("ClusterProperty", found.properties.then_some("there"), "the cluster's name is not shown"),
    ];
    for (kind, version, without) in kinds {
        match version {
            Some(version) => report.step("crds", true, format!("{kind} {version}")),
            None => {
                report.step("crds", false, format!("{kind} is not installed: {without}; apply deploy/crds"))
            }
        }
    }
}

fn objects(state: &watch::Receiver<Arc<SourceState>>, report: &mut Report) {
    let state = Arc::clone(&state.borrow());
    for problem in &state.problems {
        report.step("objects", problem.severity == Severity::Warning, problem.to_string());
    }
    if state.ok() {
        let (exports, namespaces) = (state.objects.exports.len(), state.objects.namespaces.len());
        report.step("objects", true, format!("{exports} ServiceExports in {namespaces} namespaces"));
    }
}

/// Reads the directory once.
pub(super) async fn files(config: &Config, report: &mut Report) {
    let SourceConfig::Files(directory) = &config.source else { return };
    let (source, mut state) = match FilesSource::open(directory) {
        Ok(opened) => opened,
        Err(error) => return report.step("objects", false, chain(&error).to_string()),
    };
    let (trigger, watcher) = drain::channel();
    let read = tokio::time::timeout(LIST, state.changed());
    tokio::select! {
        _ = read => {}
        () = source.run(watcher) => {}
    }
    drop(trigger);
    objects(&state, report);
}

fn named(addresses: &[String]) -> String {
    if addresses.is_empty() { "nothing yet".to_owned() } else { addresses.join(", ") }
}
