//! Sends Events (events.k8s.io/v1), one at a time and not too many. The same Event again within ten minutes raises the
//! count of the one that is there.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use agent_plan::mcs::Object;
use agent_plan::mcs::events::{EventContent, EventKind};
use agent_plan::mcs::names::OUR_PREFIX;
use http::{Method, StatusCode};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::MANAGER;
use super::metrics::Metrics;
use super::notes::{Note, What};
use super::target::Kind;
use crate::call::{self, CallError, truncate};

/// Events that may be sent at once, after a quiet time.
const BURST: u32 = 50;
/// Events a second in the long run.
const PER_SECOND: u32 = 5;
/// How long the same Event counts as the same.
const SAME: Duration = Duration::from_secs(600);
/// Events that are remembered for that.
const REMEMBERED: usize = 1024;

/// What sends Events.
pub(super) struct Recorder {
    client: Client,
    waiting: mpsc::Receiver<Note>,
    metrics: Metrics,
    sent: HashMap<[u8; 32], Series>,
    budget: Budget,
}

#[derive(Debug)]
struct Series {
    name: String,
    count: u32,
    since: Instant,
}

#[derive(Debug)]
struct Budget {
    left: u32,
    since: Instant,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    metadata: FieldsMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FieldsMeta {
    #[serde(default)]
    managed_fields: Vec<Manager>,
}

#[derive(Deserialize)]
struct Manager {
    #[serde(default)]
    manager: String,
    #[serde(default)]
    time: String,
}

impl Recorder {
    pub(super) fn new(client: Client, waiting: mpsc::Receiver<Note>, metrics: Metrics) -> Self {
        let budget = Budget { left: BURST, since: Instant::now() };
        Self { client, waiting, metrics, sent: HashMap::new(), budget }
    }

    /// Until nobody leaves notes any more.
    pub(super) async fn run(mut self) {
        while let Some(note) = self.waiting.recv().await {
            if !self.budget.take(Instant::now()) {
                self.metrics.event(false);
                continue;
            }
            let sent = self.tell(note).await;
            if let Err(error) = &sent {
                debug!(error = error as &dyn std::error::Error, "an Event could not be sent");
            }
            self.metrics.event(matches!(sent, Ok(true)));
        }
    }

    async fn tell(&mut self, note: Note) -> Result<bool, CallError> {
        let event = match note.what {
            What::Event(ref event) => event.clone(),
            What::Rival => self.rival(&note).await?,
        };
        let namespace = match &note.object {
            Object::Import(id) | Object::Export(id) => id.namespace.as_str(),
            Object::Derived(name) | Object::Slice(name) => name.namespace.as_str(),
            // Events about what is in no namespace are in this one.
            Object::Property(_) => "default",
        };
        let events = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
        let key = key(&note, &event);
        let now = Instant::now();
        if let Some(series) = self.sent.get_mut(&key).filter(|series| now < series.since + SAME) {
            series.count = series.count.saturating_add(1);
            let path = format!("{events}/{}", series.name);
            let body = json!({"series": {"count": series.count, "lastObservedTime": micros()}});
            let answer = self.send(Method::PATCH, &path, call::MERGE, &body).await?;
            if answer != StatusCode::NOT_FOUND {
                return Ok(answer.is_success());
            }
        }
        // Unique: two agents of one cluster may say the same at once.
        let random = Sha256::digest(format!("{key:?}{}{}", micros(), std::process::id()));
        let mut name = format!("{MANAGER}.");
        for byte in random.iter().take(10) {
            // A String takes everything.
            let _ = write!(name, "{byte:02x}");
        }
        let body = body(&note, &event, &name, namespace);
        let answer = self.send(Method::POST, &events, call::JSON, &body).await?;
        if self.sent.len() >= REMEMBERED {
            self.sent.retain(|_, series| now < series.since + SAME);
        }
        if self.sent.len() < REMEMBERED {
            self.sent.insert(key, Series { name, count: 1, since: now });
        }
        Ok(answer.is_success())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        content: &'static str,
        body: &Value,
    ) -> Result<StatusCode, CallError> {
        let body = body.to_string().into_bytes();
        Ok(call::call(&self.client, method, path, content, call::JSON, body).await?.status)
    }

    /// Names the field manager that wrote the object last, besides us.
    async fn rival(&self, note: &Note) -> Result<EventContent, CallError> {
        let answer = call::get(&self.client, &note.path).await?;
        let fields: Fields = answer.object()?;
        let others = fields.metadata.managed_fields.into_iter().filter(|entry| entry.manager != MANAGER);
        let rival = others.max_by(|one, other| one.time.cmp(&other.time)).map(|entry| entry.manager);
        let mut rival = rival.unwrap_or_else(|| "somebody that leaves no name".to_owned());
        truncate(&mut rival, 128);
        warn!(object = %note.object, rival, "somebody else writes this object over and over; putting it right once a minute");
        let message = format!(
            "{rival:?} keeps changing what this controller writes, or the API server's admission does; from now on it is \
             put right once a minute. Stop one of the two."
        );
        Ok(EventContent { kind: EventKind::Warning, reason: "Fight", message })
    }
}

impl Budget {
    fn take(&mut self, now: Instant) -> bool {
        let earned = now.saturating_duration_since(self.since).as_secs();
        if earned > 0 {
            self.since = now;
            let earned = u32::try_from(earned).unwrap_or(u32::MAX).saturating_mul(PER_SECOND);
            self.left = self.left.saturating_add(earned).min(BURST);
        }
        let enough = self.left > 0;
        self.left = self.left.saturating_sub(1);
        enough
    }
}

fn key(note: &Note, event: &EventContent) -> [u8; 32] {
    Sha256::digest(format!("{}\n{}\n{}\n{}", note.object, note.uid, event.reason, event.message)).into()
}

/// `MicroTime` of the API: always six digits.
fn micros() -> String {
    format!("{:.6}", Timestamp::now())
}

fn body(note: &Note, event: &EventContent, name: &str, namespace: &str) -> Value {
    let (kind, object) = match &note.object {
        Object::Import(id) => ("ServiceImport", id.name.as_str()),
        Object::Export(id) => ("ServiceExport", id.name.as_str()),
        Object::Derived(name) => ("Service", name.name.as_str()),
        Object::Slice(name) => ("EndpointSlice", name.name.as_str()),
        Object::Property(name) => ("ClusterProperty", name.as_str()),
    };
    let mut regarding = json!({
        "apiVersion": api_version(&note.path),
        "kind": kind,
        "name": object,
        "uid": note.uid,
    });
    if !matches!(Kind::of(&note.object), Kind::clusterproperties)
        && let Some(regarding) = regarding.as_object_mut()
    {
        regarding.insert("namespace".to_owned(), namespace.into());
    }
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "eventTime": micros(),
        "reportingController": format!("{OUR_PREFIX}agent"),
        "reportingInstance": MANAGER,
        "action": "Synchronize",
        "reason": event.reason,
        "type": event.kind.as_str(),
        "note": event.message,
        "regarding": regarding,
    })
}

/// `/apis/GROUP/VERSION/...` is `GROUP/VERSION`, `/api/VERSION/...` is `VERSION`.
fn api_version(path: &str) -> String {
    let mut words = path.split('/').skip(1);
    match (words.next(), words.next(), words.next()) {
        (Some("apis"), Some(group), Some(version)) => format!("{group}/{version}"),
        (_, Some(version), _) => version.to_owned(),
        _ => String::new(),
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("budget", &self.budget).finish_non_exhaustive()
    }
}
