//! What an operator should hear of first: judged from what the servers said, and nothing else.

use std::fmt;

use federation_api::federation::StatusResponse;
use serde::Serialize;

use super::status::{Answer, ServerLine};
use crate::output::age;

/// A server that is this many entries behind the others is not just a moment late.
const BEHIND: u64 = 1_000;
/// A leader that no majority has answered for so long is none, whatever it believes.
const QUORUM_MILLIS: u64 = 5_000;

/// Something that needs attention. The worst come first in the order of this list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    /// Nothing can be changed. What is known is served.
    NoLeader {
        /// How many voters there are.
        voters: usize,
        /// How many servers did not answer.
        silent: usize,
    },
    /// The leader has lost its majority.
    NoQuorum {
        /// For how long, in milliseconds.
        millis: u64,
    },
    /// One more server, and nothing can be changed.
    NoSpare {
        /// How many voters there are.
        voters: usize,
        /// How many of them answer.
        answering: usize,
    },
    /// A server did not answer.
    ServerSilent {
        /// Which.
        server: u64,
        /// Why, as far as is known.
        why: String,
    },
    /// A server does not keep up.
    ServerBehind {
        /// Which.
        server: u64,
        /// By how many entries.
        entries: u64,
    },
    /// A cluster's agent is not heard of.
    ClusterExpired {
        /// Which.
        cluster: String,
        /// For how long, in milliseconds.
        millis: u64,
        /// What it exports: served last.
        exports: u32,
    },
    /// The servers are of several versions: fine while they are upgraded, and no longer.
    MixedVersions {
        /// Which.
        versions: Vec<String>,
    },
}

/// All problems, worst first.
pub(super) fn find(first: &StatusResponse, servers: &[ServerLine]) -> Vec<Problem> {
    let mut found = Vec::new();
    let voters = servers.iter().filter(|server| server.role != "learner").count();
    let answering =
        servers.iter().filter(|s| s.role != "learner" && matches!(s.answer, Answer::Up(_))).count();
    let silent = servers.iter().filter(|server| matches!(server.answer, Answer::Silent(_))).count();
    match (first.leader_id, first.quorum_millis) {
        (None, _) => found.push(Problem::NoLeader { voters, silent }),
        (Some(_), Some(millis)) if millis > QUORUM_MILLIS => found.push(Problem::NoQuorum { millis }),
        // A lone server was never meant to be spared.
        _ if voters > 1 && answering <= voters / 2 + 1 && answering < voters => {
            found.push(Problem::NoSpare { voters, answering });
        }
        _ => {}
    }
    let newest = servers.iter().filter_map(|server| up(server).map(|up| up.revision)).max().unwrap_or(0);
    for server in servers {
        match &server.answer {
            Answer::Silent(why) => {
                found.push(Problem::ServerSilent { server: server.id, why: why.clone() });
            }
            Answer::Up(up) if newest.saturating_sub(up.revision) > BEHIND => {
                let entries = newest.saturating_sub(up.revision);
                found.push(Problem::ServerBehind { server: server.id, entries });
            }
            Answer::Up(_) => {}
        }
    }
    found.extend(first.expired.iter().map(|cluster| Problem::ClusterExpired {
        cluster: cluster.id.clone(),
        millis: first.leader_unix_millis.saturating_sub(cluster.since_unix_millis),
        exports: cluster.exports,
    }));
    let mut versions: Vec<String> = servers.iter().filter_map(|s| Some(up(s)?.version.clone())).collect();
    versions.sort();
    versions.dedup();
    if versions.len() > 1 {
        found.push(Problem::MixedVersions { versions });
    }
    found.sort();
    found
}

fn up(server: &ServerLine) -> Option<&super::status::Up> {
    match &server.answer {
        Answer::Up(up) => Some(up),
        Answer::Silent(_) => None,
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLeader { voters, silent } => write!(
                f,
                "no leader: nothing can be changed until a majority of the {voters} voters can talk to each other \
                 ({silent} servers do not answer here)"
            ),
            Self::NoQuorum { millis } => {
                write!(f, "no majority has answered the leader for {}: nothing can be changed", age(*millis))
            }
            Self::NoSpare { voters, answering } => {
                write!(f, "{answering} of {voters} voters answer: if one more fails, nothing can be changed")
            }
            Self::ServerSilent { server, why } => write!(f, "server {server} does not answer here: {why}"),
            Self::ServerBehind { server, entries } => {
                write!(f, "server {server} is {entries} entries behind")
            }
            Self::ClusterExpired { cluster, millis, exports } => write!(
                f,
                "cluster {cluster}: its agent was last heard of {} ago; its {exports} exports are served last",
                age(*millis)
            ),
            Self::MixedVersions { versions } => {
                write!(f, "the servers are of versions {}: end the upgrade", versions.join(" and "))
            }
        }
    }
}
