//! Changes of the members, as operators ask for them. Whoever calls has checked who asks.
//!
//! The members are not part of the catalogue, whose entries record themselves: the record of a change is an entry of its
//! own, committed after it. A server that dies between the two leaves none.

use federation_api::federation as wire;
use federation_kit::exit::chain;
use federation_kit::grpc::is_host_port;
use federation_model::audit::Operation;
use federation_model::{Command, Operator, ServerId};
use federation_raft::{Managed, Member, MembershipError};
use tonic::{Code, Response, Status};

use super::Context;

type Answer = Result<Response<wire::MembersChanged>, Status>;

pub(super) async fn add(context: &Context, operator: &str, request: wire::AddMemberRequest) -> Answer {
    let wire::AddMemberRequest { id, api_address: api, raft_address: raft } = request;
    for (key, address) in [("api_address", &api), ("raft_address", &raft)] {
        if !is_host_port(address) {
            let message = format!("{key} is not host:port");
            return Err(context.refused(Code::InvalidArgument, "bad_address", message));
        }
    }
    tracing::info!(operator, server = id, api, raft, "asked to add a member");
    let managed = context.node.add_learner(ServerId(id), Member { api, raft }).await;
    record(context, operator, &managed, Operation::MemberAdded(ServerId(id))).await;
    answer(context, managed)
}

pub(super) async fn promote(
    context: &Context,
    operator: &str,
    request: &wire::PromoteMemberRequest,
) -> Answer {
    let id = ServerId(request.id);
    if request.only_check {
        return answer(context, context.node.may_promote(id).await);
    }
    tracing::info!(operator, server = %id, "asked to promote a member");
    let managed = context.node.promote(id).await;
    record(context, operator, &managed, Operation::MemberPromoted(id)).await;
    answer(context, managed)
}

pub(super) async fn remove(context: &Context, operator: &str, request: &wire::RemoveMemberRequest) -> Answer {
    tracing::info!(operator, server = request.id, "asked to remove a member");
    let managed = context.node.remove(ServerId(request.id)).await;
    record(context, operator, &managed, Operation::MemberRemoved(ServerId(request.id))).await;
    answer(context, managed)
}

pub(super) async fn transfer(
    context: &Context,
    operator: &str,
    request: &wire::TransferLeadershipRequest,
) -> Answer {
    tracing::info!(operator, to = request.to, "asked to transfer leadership");
    let managed = context.node.transfer_leadership(request.to.map(ServerId)).await;
    if let Ok(Managed { leader, .. }) = managed {
        record(context, operator, &managed, Operation::LeadershipTransferred(leader)).await;
    }
    answer(context, managed)
}

/// Says in the audit what was changed, by whom.
async fn record(
    context: &Context,
    operator: &str,
    managed: &Result<Managed, MembershipError>,
    operation: Operation,
) {
    if !matches!(managed, Ok(Managed { changed: true, .. })) {
        return;
    }
    let by = Operator::of_certificate(operator);
    if let Err(error) = context.node.propose(vec![Command::Operated { by, operation }]).await {
        tracing::error!(operator, error = %chain(&error), "a change of the members could not be recorded");
    }
}

fn answer(context: &Context, managed: Result<Managed, MembershipError>) -> Answer {
    match managed {
        Ok(Managed { changed, leader }) => {
            Ok(Response::new(wire::MembersChanged { changed, leader_id: leader.0 }))
        }
        Err(error) => Err(context.refused(code(&error), error.reason(), error.to_string())),
    }
}

/// Whether another server may say something else, or the answer is no.
fn code(error: &MembershipError) -> Code {
    match error {
        MembershipError::NoLeader { .. } | MembershipError::Stopped => Code::Unavailable,
        MembershipError::NotAMember(_) => Code::NotFound,
        _ => Code::FailedPrecondition,
    }
}
