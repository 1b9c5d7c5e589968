//! `status`: how the federation is doing.

use federation_api::federation::StatusResponse;
use serde::Serialize;

use crate::connect::Federation;
use crate::failure::Failure;
use crate::output::Report;

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The clusterset's name.
    pub clusterset: String,
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
    /// Watchers at the server that answered.
    pub watchers: u32,
}

/// Asks.
pub async fn ask(federation: &Federation) -> Result<Status, Failure> {
    Ok(federation.status().await?.into())
}

impl From<StatusResponse> for Status {
    fn from(answer: StatusResponse) -> Self {
        Self {
            clusterset: answer.clusterset,
            server: answer.server_id,
            version: answer.version,
            leader: answer.leader_id,
            term: answer.term,
            revision: answer.revision,
            last_log_index: answer.last_log_index,
            clusters: answer.clusters,
            clusters_alive: answer.clusters_alive,
            exports: answer.exports,
            watchers: answer.watchers,
        }
    }
}

impl Report for Status {
    fn to_text(&self) -> String {
        let leader = match self.leader {
            Some(leader) if leader == self.server => {
                format!("server {leader} (which answered), term {}", self.term)
            }
            Some(leader) => format!("server {leader}, term {}", self.term),
            None => {
                format!("none at the moment, term {}; nothing can be changed until one is elected", self.term)
            }
        };
        let behind = match self.last_log_index.saturating_sub(self.revision) {
            0 => String::new(),
            entries => format!(", {entries} entries not yet applied"),
        };
        format!(
            "Clusterset  {}\nAnswered by server {}, version {}\nLeader      {leader}\nRevision    {}{behind}\n\
             Clusters    {}, of which {} alive\nExports     {}\nWatchers    {} at the server that answered\n",
            self.clusterset,
            self.server,
            self.version,
            self.revision,
            self.clusters,
            self.clusters_alive,
            self.exports,
            self.watchers,
        )
    }
}
