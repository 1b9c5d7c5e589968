//! `members`: the federation servers.

mod change;

pub use self::change::{Change, change};

use federation_api::federation::{Member, MemberRole};
use serde::Serialize;

use crate::connect::Federation;
use crate::failure::Failure;
use crate::output::{Report, Table};

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Members {
    /// By id.
    pub members: Vec<MemberLine>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberLine {
    /// Its Raft id.
    pub id: u64,
    /// `leader`, `follower`, `learner`, or `unknown`.
    pub role: &'static str,
    /// Where agents and operators reach it.
    pub api: String,
    /// Where its peers reach it.
    pub raft: String,
    /// How far its log matches the leader's; known only if the leader answered.
    pub matched_index: Option<u64>,
}

/// Asks.
pub async fn ask(federation: &Federation) -> Result<Members, Failure> {
    Ok(federation.members().await?.into())
}

impl From<Vec<Member>> for Members {
    fn from(answer: Vec<Member>) -> Self {
        let mut members: Vec<MemberLine> = answer
            .into_iter()
            .map(|member| MemberLine {
                id: member.id,
                role: match member.role() {
                    MemberRole::Leader => "leader",
                    MemberRole::Follower => "follower",
                    MemberRole::Learner => "learner",
                    MemberRole::Unspecified => "unknown",
                },
                api: member.api_address,
                raft: member.raft_address,
                matched_index: member.matched_index,
            })
            .collect();
        members.sort_by_key(|member| member.id);
        Self { members }
    }
}

impl Report for Members {
    fn to_text(&self) -> String {
        let mut table = Table::new(&["SERVER", "ROLE", "API", "RAFT", "LOG MATCHES UP TO"]);
        for member in &self.members {
            table.row([
                member.id.to_string(),
                member.role.to_owned(),
                member.api.clone(),
                member.raft.clone(),
                member.matched_index.map(|index| index.to_string()).unwrap_or_default(),
            ]);
        }
        table.to_text()
    }
}
