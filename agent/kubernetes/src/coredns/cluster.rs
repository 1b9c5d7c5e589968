//! The Corefile of a running cluster: ConfigMap `kube-system/coredns`, and the Deployment of the same name where CoreDNS
//! does not reload by itself.
//!
//! Level-triggered and safe to run twice at once: the ConfigMap is written only as the version that was read; the
//! Deployment's pods carry the hash of the Corefile that they were started for.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use http::{Method, StatusCode};
use kube::Client;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::block::stub_zone_on;
use super::corefile::{has_reload, port};
use super::edit::{CorefileError, with_block, without_block};
use crate::call::{self, Answer, CallError};

const CONFIG_MAP: &str = "/api/v1/namespaces/kube-system/configmaps/coredns";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/kube-system/deployments/coredns";
const KEY: &str = "Corefile";
const ANNOTATION: &str = "isthmus.dev/corefile";
/// How often somebody else may write the ConfigMap between our reading and our writing.
const ATTEMPTS: u32 = 8;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edited {
    /// To the Corefile.
    pub change: Change,
    /// To CoreDNS.
    pub restart: Restart,
}

/// What was done to the Corefile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It says what it should already.
    None,
    /// The block was not there.
    Added,
    /// Another block of ours was there.
    Replaced,
    /// The block is gone.
    Removed,
}

/// When pods are replaced to let CoreDNS learn of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roll {
    /// Only where CoreDNS would not learn of it otherwise.
    IfNeeded,
    /// Also where it would within two minutes.
    Always,
}

/// How CoreDNS learns of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Nothing to learn.
    None,
    /// Its plugin `reload` looks by itself, every 30 s or so; before that, the kubelet must refresh the volume.
    ByItself,
    /// Its Deployment was told to replace the pods one after the other.
    Rolled,
}

/// CoreDNS is as it was.
#[derive(Debug, thiserror::Error)]
pub enum CoreDnsError {
    /// There is no such ConfigMap, or it has no Corefile.
    #[error(
        "this cluster has no Corefile in ConfigMap kube-system/coredns; put what `isthmus-agent coredns print` says \
         where its DNS is configured"
    )]
    NoCorefile,
    /// A person must decide.
    #[error("the Corefile of ConfigMap kube-system/coredns")]
    Corefile(#[from] CorefileError),
    /// Somebody writes it all the time.
    #[error(
        "ConfigMap kube-system/coredns was changed by somebody else {ATTEMPTS} times in a row; run this again"
    )]
    Contended,
    /// The API server does not let us.
    #[error("the API server refused to {verb} {what} ({status}): {message}")]
    Refused {
        /// `read` or `change`.
        verb: &'static str,
        /// The object.
        what: &'static str,
        /// HTTP status.
        status: u16,
        /// In the API server's words.
        message: String,
    },
    /// No usable answer came.
    #[error("cannot talk to the API server")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Makes CoreDNS ask `dns`, the address of the Service in front of the agent, for names of the clusterset.
///
/// # Errors
/// [`CoreDnsError`]. If CoreDNS could not be restarted the Corefile is changed already; running it again goes on there.
pub async fn apply(client: &Client, dns: IpAddr, roll: Roll) -> Result<Edited, CoreDnsError> {
    edit(client, roll, |corefile| with_block(corefile, &stub_zone_on(dns, port(corefile)))).await
}

/// Takes the stub zone out again.
///
/// # Errors
/// As [`apply`].
pub async fn remove(client: &Client, roll: Roll) -> Result<Edited, CoreDnsError> {
    edit(client, roll, without_block).await
}

async fn edit(
    client: &Client,
    wanted: Roll,
    change: impl Fn(&str) -> Result<String, CorefileError>,
) -> Result<Edited, CoreDnsError> {
    for _ in 0..ATTEMPTS {
        let held: ConfigMap = read(client, CONFIG_MAP, "ConfigMap kube-system/coredns").await?;
        let before = held.data.get(KEY).ok_or(CoreDnsError::NoCorefile)?;
        let after = change(before)?;
        let kind = kind_of_change(before, &after)?;
        if kind != Change::None {
            let body = json!({
                "metadata": {"resourceVersion": held.metadata.resource_version},
                "data": {KEY: after},
            });
            let answer = patch(client, CONFIG_MAP, &body).await?;
            if answer.status == StatusCode::CONFLICT {
                continue;
            }
            accepted(&answer, "change", "ConfigMap kube-system/coredns")?;
        }
        let restart = if wanted == Roll::Always || !has_reload(before) {
            roll(client, &after, kind).await?
        } else if kind == Change::None {
            Restart::None
        } else {
            Restart::ByItself
        };
        return Ok(Edited { change: kind, restart });
    }
    Err(CoreDnsError::Contended)
}

fn kind_of_change(before: &str, after: &str) -> Result<Change, CorefileError> {
    let had = without_block(before)? != before;
    let has = without_block(after)? != after;
    Ok(match (had, has) {
        _ if before == after => Change::None,
        (false, _) => Change::Added,
        (true, true) => Change::Replaced,
        (true, false) => Change::Removed,
    })
}

/// Restarts the pods unless they were started for this Corefile. Pods that never knew our block need none.
async fn roll(client: &Client, corefile: &str, change: Change) -> Result<Restart, CoreDnsError> {
    let what = "Deployment kube-system/coredns";
    let held: Deployment = read(client, DEPLOYMENT, what).await?;
    let hash: String = Sha256::digest(corefile).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let annotated = held.spec.template.metadata.annotations.unwrap_or_default().remove(ANNOTATION);
    let never_ours = without_block(corefile)? == corefile && annotated.is_none() && change == Change::None;
    if never_ours || annotated.is_some_and(|held| held == hash) {
        return Ok(Restart::None);
    }
    let body = json!({"spec": {"template": {"metadata": {"annotations": {ANNOTATION: hash}}}}});
    accepted(&patch(client, DEPLOYMENT, &body).await?, "change", what)?;
    Ok(Restart::Rolled)
}

async fn read<T: for<'de> Deserialize<'de>>(
    client: &Client,
    path: &str,
    what: &'static str,
) -> Result<T, CoreDnsError> {
    let answer = call::get(client, path).await.map_err(unreachable)?;
    if answer.status == StatusCode::NOT_FOUND && path == CONFIG_MAP {
        return Err(CoreDnsError::NoCorefile);
    }
    accepted(&answer, "read", what)?;
    answer.object().map_err(unreachable)
}

async fn patch(client: &Client, path: &str, body: &serde_json::Value) -> Result<Answer, CoreDnsError> {
    let body = body.to_string().into_bytes();
    call::call(client, Method::PATCH, path, call::MERGE, call::JSON, body).await.map_err(unreachable)
}

fn accepted(answer: &Answer, verb: &'static str, what: &'static str) -> Result<(), CoreDnsError> {
    if answer.status.is_success() {
        return Ok(());
    }
    let (status, message) = (answer.status.as_u16(), answer.refusal().message);
    Err(CoreDnsError::Refused { verb, what, status, message })
}

fn unreachable(error: CallError) -> CoreDnsError {
    CoreDnsError::Unreachable(Box::new(error))
}

impl fmt::Display for Edited {
    /// A sentence for whoever ran the command.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.change {
            Change::None => "the Corefile is as it should be already",
            Change::Added => "the stub zone for clusterset.local was added to the Corefile",
            Change::Replaced => "the stub zone for clusterset.local was replaced in the Corefile",
            Change::Removed => "the stub zone for clusterset.local was removed from the Corefile",
        })?;
        f.write_str(match self.restart {
            Restart::None => "",
            Restart::ByItself => "; CoreDNS reloads it by itself, within about two minutes",
            Restart::Rolled => {
                "; CoreDNS is restarted to read it: its pods are being replaced one after the other"
            }
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigMap {
    metadata: Metadata,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    resource_version: String,
}

#[derive(Deserialize)]
struct Deployment {
    spec: DeploymentSpec,
}

#[derive(Deserialize)]
struct DeploymentSpec {
    template: Template,
}

#[derive(Deserialize)]
struct Template {
    #[serde(default)]
    metadata: TemplateMetadata,
}

#[derive(Default, Deserialize)]
struct TemplateMetadata {
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}
