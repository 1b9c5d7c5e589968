//! `status`: how the federation is doing; first what is wrong, then every server.

use std::collections::BTreeMap;

use federation_api::federation::StatusResponse;
use serde::Serialize;

use super::problems::{self, Problem};
use crate::connect::Federation;
use crate::failure::Failure;
use crate::output::{Report, Table, age};

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The clusterset's name.
    pub clusterset: String,
    /// What needs somebody's attention, worst first; empty if nothing does.
    pub problems: Vec<Problem>,
    /// The server that answered.
    pub server: u64,
    /// Its version.
    pub version: String,
    /// The leader; absent while there is none.
    pub leader: Option<u64>,
    /// Raft's term.
    pub term: u64,
    /// The last entry applied by the server that answered.
    pub revision: u64,
    /// The last entry in its log.
    pub last_log_index: u64,
    /// Clusters.
    pub clusters: u32,
    /// Clusters whose lease holds.
    pub clusters_alive: u32,
    /// Exports.
    pub exports: u32,
    /// Watchers at all servers that answered.
    pub watchers: u32,
    /// Every member.
    pub servers: Vec<ServerLine>,
}

/// One server of the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerLine {
    /// Its number.
    pub id: u64,
    /// `leader`, `follower`, `learner` or `unknown`, as the server that answered first knows it.
    pub role: &'static str,
    /// Where it was asked.
    pub api: String,
    /// What it said, or why it said nothing.
    #[serde(flatten)]
    pub answer: Answer,
}

/// What a server said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It answered.
    Up(Up),
    /// It did not, for this reason.
    Silent(String),
}

/// A server that answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Up {
    /// Its version.
    pub version: String,
    /// The last entry that it has applied.
    pub revision: u64,
    /// Entries of its log that it has not applied.
    pub not_applied: u64,
    /// Bytes of log and snapshot.
    pub disk_bytes: u64,
    /// Entries since its last snapshot.
    pub since_snapshot: u64,
    /// How long it has been running, in seconds.
    pub uptime_seconds: u64,
    /// Watchers at it.
    pub watchers: u32,
    /// What it refused since it started, by reason.
    pub refused: BTreeMap<String, u64>,
}

/// Asks one server for the whole, and then each of its members for itself.
pub async fn ask(federation: &Federation) -> Result<Status, Failure> {
    let first = federation.status().await?;
    let members = federation.members().await?;
    let mut servers = Vec::new();
    for member in super::members::Members::from(members).members {
        let answer = match federation.status_of(&member.api).await {
            Ok(status) if status.server_id == member.id => Answer::Up(Up::from(status)),
            Ok(status) => Answer::Silent(format!("server {} answers at its address", status.server_id)),
            Err(failure) => Answer::Silent(failure.cause().to_owned()),
        };
        servers.push(ServerLine { id: member.id, role: member.role, api: member.api, answer });
    }
    Ok(Status::of(first, servers))
}

impl Status {
    /// Puts together what was answered.
    pub fn of(first: StatusResponse, servers: Vec<ServerLine>) -> Self {
        let problems = problems::find(&first, &servers);
        let watchers = servers.iter().filter_map(|server| match &server.answer {
            Answer::Up(up) => Some(up.watchers),
            Answer::Silent(_) => None,
        });
        Self {
            problems,
            server: first.server_id,
            version: first.version,
            leader: first.leader_id,
            term: first.term,
            revision: first.revision,
            last_log_index: first.last_log_index,
            clusters: first.clusters,
            clusters_alive: first.clusters_alive,
            exports: first.exports,
            watchers: watchers.sum(),
            clusterset: first.clusterset,
            servers,
        }
    }
}

impl From<StatusResponse> for Up {
    fn from(answer: StatusResponse) -> Self {
        Self {
            version: answer.version,
            revision: answer.revision,
            not_applied: answer.last_log_index.saturating_sub(answer.revision),
            disk_bytes: answer.disk_bytes,
            since_snapshot: answer.revision.saturating_sub(answer.snapshot_index),
            uptime_seconds: answer.uptime_seconds,
            watchers: answer.watchers,
            refused: answer.refused,
        }
    }
}

impl Report for Status {
    fn to_text(&self) -> String {
        let mut text = match self.problems.as_slice() {
            [] => format!("{} is well.\n\n", self.clusterset),
            problems => {
                let lines = problems.iter().map(|problem| format!("  {problem}\n"));
                format!("{} needs attention:\n{}\n", self.clusterset, lines.collect::<String>())
            }
        };
        let leader = self.leader.map_or_else(|| "none".to_owned(), |leader| format!("server {leader}"));
        text.push_str(&format!(
            "Leader    {leader}, term {}\nRevision  {}\nClusters  {}, of which {} alive\nExports   {}\nWatchers  {}\n\n",
            self.term, self.revision, self.clusters, self.clusters_alive, self.exports, self.watchers,
        ));
        let headings = ["SERVER", "ROLE", "API", "VERSION", "REVISION", "DISK", "UP", "WATCHERS", "REFUSED"];
        let mut table = Table::new(&headings);
        for server in &self.servers {
            let head = [server.id.to_string(), server.role.to_owned(), server.api.clone()];
            let rest = match &server.answer {
                Answer::Silent(_) => [
                    "no answer".to_owned(),
                    String::new(),
                    String::new(),
                    String::new(),
                    String::new(),
                    String::new(),
                ],
                Answer::Up(up) => [
                    up.version.clone(),
                    up.revision.to_string(),
                    size(up.disk_bytes),
                    age(up.uptime_seconds.saturating_mul(1_000)),
                    up.watchers.to_string(),
                    up.refused.values().sum::<u64>().to_string(),
                ],
            };
            table.row(head.into_iter().chain(rest));
        }
        text + &table.to_text()
    }
}

/// In the largest unit that leaves a number.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
