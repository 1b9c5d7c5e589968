//! `audit`: who changed what, and when.

use std::collections::VecDeque;

use federation_api::federation::AuditRecord;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::arguments::Format;
use crate::connect::Federation;
use crate::failure::Failure;
use crate::output::{Report, Table, write};

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Oldest first.
    pub changes: Vec<Line>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Counts every change of the clusterset. Numbers may be missing: the coming and going of endpoints is kept apart, and
    /// not for as long.
    pub number: u64,
    /// The entry that made it.
    pub revision: u64,
    /// The leader's clock, in milliseconds since the Unix epoch.
    pub at_unix_millis: u64,
    /// By whom.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// What it was done to; empty where the actor or the clusterset is meant.
    pub subject: String,
}

impl From<AuditRecord> for Line {
    fn from(record: AuditRecord) -> Self {
        Self {
            number: record.number,
            revision: record.revision,
            at_unix_millis: record.at_unix_millis,
            actor: record.actor,
            action: record.action,
            subject: record.subject,
        }
    }
}

/// The last `count` changes, of those after the number `after`.
pub async fn ask(federation: &Federation, after: u64, count: usize) -> Result<Audit, Failure> {
    let mut last = VecDeque::new();
    let take = |record| {
        if last.len() >= count {
            last.pop_front();
        }
        last.push_back(Line::from(record));
        Ok(())
    };
    federation.audit(after, take).await?;
    Ok(Audit { changes: last.into() })
}

/// Prints the changes after the number `after`, and then each as it comes, until interrupted.
pub async fn follow(federation: &Federation, after: u64, format: Format) -> Result<(), Failure> {
    let print = |record| {
        let line = Line::from(record);
        match format {
            Format::Table => write(format!("{}\n", line.cells().join("  ")).as_bytes()),
            Format::Json => {
                let json = serde_json::to_string(&line).map_err(|e| Failure::from_io(e.into()))?;
                write(format!("{json}\n").as_bytes())
            }
        }
    };
    federation.follow_audit(after, print).await
}

impl Line {
    fn cells(&self) -> [String; 6] {
        [
            self.number.to_string(),
            instant(self.at_unix_millis),
            self.revision.to_string(),
            self.actor.clone(),
            self.action.clone(),
            self.subject.clone(),
        ]
    }
}

/// RFC 3339, to the second.
pub(super) fn instant(unix_millis: u64) -> String {
    let seconds = i64::try_from(unix_millis / 1_000).ok();
    let instant = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    instant.and_then(|instant| instant.format(&Rfc3339).ok()).unwrap_or_else(|| unix_millis.to_string())
}

impl Report for Audit {
    fn to_text(&self) -> String {
        let mut table = Table::new(&["NUMBER", "TIME", "REVISION", "WHO", "WHAT", "OF"]);
        for line in &self.changes {
            table.row(line.cells());
        }
        table.to_text()
    }
}
