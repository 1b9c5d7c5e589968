//! Changes of the members, and waiting for a new one to catch up.

use std::time::Duration;

use federation_api::federation::{
    AddMemberRequest, MembersChanged, PromoteMemberRequest, RemoveMemberRequest, TransferLeadershipRequest,
};
use serde::Serialize;
use tokio::time::Instant;

use crate::arguments::Members;
use crate::connect::Federation;
use crate::failure::{Failure, Kind};
use crate::output::Report;

/// How often a learner is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Refusals that pass by themselves while a learner catches up.
const PASSING: [&str; 3] = ["behind", "too_few_voters", "in_progress"];

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `added`, `promoted`, `removed` or `leads`.
    pub done: &'static str,
    /// The server that it was done to; for `leads`, the leader.
    pub server: u64,
    /// False if it was so before.
    pub changed: bool,
    /// Who leads now.
    pub leader: u64,
}

/// Makes one change. What happens meanwhile is told on standard error.
pub async fn change(federation: &Federation, command: Members) -> Result<Change, Failure> {
    let done = |done, server, answer: MembersChanged| Change {
        done,
        server,
        changed: answer.changed,
        leader: answer.leader_id,
    };
    match command {
        // The caller prints the list; the change that changes nothing is to leave the leader alone.
        Members::List => Err(Failure::new(Kind::Usage, "a list changes nothing")),
        Members::Add { id, api, raft, wait, promote, timeout } => {
            let request = AddMemberRequest { id, api_address: api, raft_address: raft };
            let added = federation.add_member(&request).await?;
            if !wait && !promote {
                return Ok(done("added", id, added));
            }
            eprintln!("server {id} is a learner; waiting until it has caught up");
            let until = Instant::now() + Duration::from_secs(timeout);
            let request = PromoteMemberRequest { id, only_check: !promote };
            let answer = patiently(federation, request, until).await?;
            Ok(if promote { done("promoted", id, answer) } else { done("added", id, added) })
        }
        Members::Promote { id } => {
            let request = PromoteMemberRequest { id, only_check: false };
            Ok(done("promoted", id, federation.promote_member(&request).await?))
        }
        Members::Remove { id } => {
            Ok(done("removed", id, federation.remove_member(&RemoveMemberRequest { id }).await?))
        }
        Members::TransferLeadership { to } => {
            let answer = federation.transfer_leadership(&TransferLeadershipRequest { to }).await?;
            Ok(done("leads", answer.leader_id, answer))
        }
    }
}

async fn patiently(
    federation: &Federation,
    request: PromoteMemberRequest,
    until: Instant,
) -> Result<MembersChanged, Failure> {
    let mut told = String::new();
    loop {
        let refused = match federation.promote_member(&request).await {
            Ok(answer) => return Ok(answer),
            Err(refused) => refused,
        };
        let passes = refused.reason().is_some_and(|reason| PASSING.contains(&reason));
        if !passes || Instant::now() >= until {
            return Err(refused);
        }
        if told != refused.cause() {
            refused.cause().clone_into(&mut told);
            eprintln!("{told}");
        }
        tokio::time::sleep(LOOK).await;
    }
}

impl Report for Change {
    fn to_text(&self) -> String {
        let Self { server, leader, .. } = self;
        let next = match (self.done, self.changed) {
            ("added", true) => {
                format!("server {server} is a learner now; let it vote: isthmus members promote {server}")
            }
            ("added", false) => format!("server {server} was a member before"),
            ("promoted", true) => format!("server {server} votes now"),
            ("promoted", false) => format!("server {server} voted before"),
            ("removed", _) => format!("server {server} is no member any more; stop it if it still runs"),
            (_, true) => format!("server {server} leads now"),
            (_, false) => format!("server {leader} led before"),
        };
        next + "\n"
    }
}
