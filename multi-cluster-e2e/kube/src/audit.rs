//! What was asked of an API server: its audit log, one JSON object a line.

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

/// A point in an audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditMark {
    bytes: usize,
}

impl AuditMark {
    /// Before everything.
    pub const BEGINNING: Self = Self { bytes: 0 };
}

/// One request that was answered (`audit.k8s.io/v1`, level Metadata).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// Who asked.
    pub user: AuditUser,
    /// What the client calls itself.
    #[serde(default)]
    pub user_agent: String,
    /// What it was about; absent for requests such as `/readyz`.
    #[serde(default)]
    pub object_ref: Option<ObjectRef>,
    /// How it was answered.
    #[serde(default)]
    pub response_status: Option<ResponseStatus>,
}

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AuditUser {
    /// The user's name.
    pub username: String,
}

/// What a request was about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ObjectRef {
    /// Such as `serviceimports`.
    pub resource: String,
    /// Such as `status`.
    pub subresource: String,
    /// Empty for objects of the whole cluster.
    pub namespace: String,
    /// Empty for lists and for creation with a generated name.
    pub name: String,
}

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct ResponseStatus {
    /// The HTTP status.
    #[serde(default)]
    pub code: u16,
}

impl AuditEvent {
    /// Whether it asks to change something.
    pub fn is_write(&self) -> bool {
        ["create", "update", "patch", "delete", "deletecollection"].contains(&self.verb.as_str())
            && !self.is_review()
    }

    /// A review (of a token, of access) is created, and leaves nothing behind.
    fn is_review(&self) -> bool {
        self.object_ref.as_ref().is_some_and(|about| about.resource.ends_with("reviews"))
    }

    /// In short: `patch serviceimports/status demo/echo 200`.
    pub fn brief(&self) -> String {
        let about = self.object_ref.clone().unwrap_or_default();
        let slash = if about.subresource.is_empty() { "" } else { "/" };
        let code = self.response_status.map_or(0, |status| status.code);
        format!(
            "{} {}{slash}{} {}/{} {code}",
            self.verb, about.resource, about.subresource, about.namespace, about.name
        )
    }
}

/// The end of the log as it is now.
pub(crate) fn mark(log: &Path) -> anyhow::Result<AuditMark> {
    let text = std::fs::read(log).with_context(|| format!("there is no audit log {}", log.display()))?;
    // A line that is being written belongs to what comes after.
    let bytes = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    Ok(AuditMark { bytes })
}

/// Whole lines after `since`.
pub(crate) fn since(log: &Path, since: &AuditMark) -> anyhow::Result<Vec<AuditEvent>> {
    let text = std::fs::read(log).with_context(|| format!("there is no audit log {}", log.display()))?;
    let text = text.get(since.bytes..).context("the audit log is shorter than it was")?;
    events(&String::from_utf8_lossy(text))
}

fn events(text: &str) -> anyhow::Result<Vec<AuditEvent>> {
    let whole = text.rfind('\n').and_then(|last| text.get(..last)).unwrap_or_default();
    let parse =
        |line: &str| serde_json::from_str(line).with_context(|| format!("not an audit event: {line}"));
    whole.lines().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = r#"{"verb":"patch","user":{"username":"agent"},"objectRef":{"resource":"serviceimports","subresource":"status","namespace":"demo","name":"echo"},"responseStatus":{"code":200}}"#;

    #[test]
    fn whole_lines_are_events_and_half_a_line_is_not_yet() {
        let found = events(&format!("{PATCH}\n{{\"verb\":\"ge")).unwrap();
        assert_eq!(
            found.iter().map(AuditEvent::brief).collect::<Vec<_>>(),
            ["patch serviceimports/status demo/echo 200"]
        );
        assert_eq!(events("").unwrap(), []);
    }

    #[test]
    fn only_what_leaves_something_behind_is_a_write() {
        let of = |verb: &str, resource: &str| {
            let line = PATCH.replace("\"patch\"", &format!("\"{verb}\"")).replace("serviceimports", resource);
            events(&format!("{line}\n")).unwrap().remove(0).is_write()
        };
        assert!(of("patch", "services") && of("create", "events") && of("delete", "serviceimports"));
        assert!(!of("watch", "services") && !of("create", "tokenreviews"));
    }
}
