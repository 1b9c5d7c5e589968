//! What operators ask. Every call needs an admin certificate.

use std::sync::Arc;
use std::time::Duration;

use federation_api::federation as wire;
use federation_api::federation::admin_server::Admin;
use federation_model::{Cluster, ClusterId, Command, Item, Lease, Operator, State};
use federation_raft::MemberRole;
use federation_trust::JoinTokenText;
use tonic::{Code, Request, Response, Status};

use super::{Answers, Context, audit, backup, members};
use crate::authz;

/// Life of a join token whose maker says nothing.
const DEFAULT_TTL: Duration = Duration::from_secs(3_600);
/// Longest life of a join token.
const MAX_TTL: Duration = Duration::from_secs(7 * 24 * 3_600);

/// `isthmus.federation.v1.Admin`.
#[derive(Debug, Clone)]
pub struct AdminService(pub Arc<Context>);

impl AdminService {
    fn operator<T>(&self, request: &Request<T>) -> Result<String, Status> {
        authz::admin(&self.0.trust, &self.0.metrics, request.extensions())
    }
}

#[tonic::async_trait]
impl Admin for AdminService {
    async fn status(
        &self,
        request: Request<wire::StatusRequest>,
    ) -> Result<Response<wire::StatusResponse>, Status> {
        self.operator(&request)?;
        let status = self.0.node.status();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (clusters, expired, exports) = self.0.node.read(|state, _| {
            let expired = |cluster: &Cluster| match &cluster.lease {
                Lease::Held { .. } => None,
                Lease::Expired { at } => Some(wire::ExpiredCluster {
                    id: cluster.id.to_string(),
                    since_unix_millis: at.0,
                    exports: number(state.exports().filter(|e| e.cluster == cluster.id).count()),
                }),
            };
            let expired: Vec<_> = state.clusters().filter_map(expired).collect();
            (state.clusters().count(), expired, state.exports().count())
        });
        let refused = self.0.metrics.refusals();
        Ok(Response::new(wire::StatusResponse {
            clusterset: self.0.trust.clusterset().to_string(),
            server_id: self.0.node.id().0,
            leader_id: status.leadership.leader.map(|leader| leader.0),
            term: status.leadership.term,
            revision: status.revision.0,
            last_log_index: status.last_log_index,
            version: federation_kit::build_info::version().to_string(),
            clusters: number(clusters),
            clusters_alive: number(clusters.saturating_sub(expired.len())),
            exports: number(exports),
            watchers: u32::try_from(self.0.metrics.watchers.get()).unwrap_or(0),
            disk_bytes: status.disk_bytes,
            snapshot_index: status.snapshot_index,
            quorum_millis: status.quorum_millis,
            uptime_seconds: self.0.started.elapsed().as_secs(),
            leader_unix_millis: self.0.node.last_batch_at().0,
            expired,
            refused: refused.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect(),
        }))
    }

    async fn members(
        &self,
        request: Request<wire::MembersRequest>,
    ) -> Result<Response<wire::MembersResponse>, Status> {
        self.operator(&request)?;
        let member = |member: federation_raft::MemberStatus| wire::Member {
            id: member.id.0,
            api_address: member.member.api,
            raft_address: member.member.raft,
            role: match member.role {
                MemberRole::Leader => wire::MemberRole::Leader,
                MemberRole::Follower => wire::MemberRole::Follower,
                MemberRole::Learner => wire::MemberRole::Learner,
            }
            .into(),
            matched_index: member.matched,
        };
        let members = self.0.node.status().members.into_iter().map(member).collect();
        Ok(Response::new(wire::MembersResponse { members }))
    }

    async fn add_member(
        &self,
        request: Request<wire::AddMemberRequest>,
    ) -> Result<Response<wire::MembersChanged>, Status> {
        let operator = self.operator(&request)?;
        members::add(&self.0, &operator, request.into_inner()).await
    }

    async fn promote_member(
        &self,
        request: Request<wire::PromoteMemberRequest>,
    ) -> Result<Response<wire::MembersChanged>, Status> {
        let operator = self.operator(&request)?;
        members::promote(&self.0, &operator, request.get_ref()).await
    }

    async fn remove_member(
        &self,
        request: Request<wire::RemoveMemberRequest>,
    ) -> Result<Response<wire::MembersChanged>, Status> {
        let operator = self.operator(&request)?;
        members::remove(&self.0, &operator, request.get_ref()).await
    }

    async fn transfer_leadership(
        &self,
        request: Request<wire::TransferLeadershipRequest>,
    ) -> Result<Response<wire::MembersChanged>, Status> {
        let operator = self.operator(&request)?;
        members::transfer(&self.0, &operator, request.get_ref()).await
    }

    async fn create_token(
        &self,
        request: Request<wire::CreateTokenRequest>,
    ) -> Result<Response<wire::CreateTokenResponse>, Status> {
        let operator = self.operator(&request)?;
        let wire::CreateTokenRequest { cluster, ttl_seconds } = request.into_inner();
        let cluster: ClusterId = cluster.parse().map_err(|error| self.0.invalid("bad_cluster", &error))?;
        let ttl = match ttl_seconds {
            0 => DEFAULT_TTL,
            seconds if seconds > MAX_TTL.as_secs() => {
                let message = format!("a token lives at most {} seconds", MAX_TTL.as_secs());
                return Err(self.0.refused(Code::InvalidArgument, "bad_ttl", message));
            }
            seconds => Duration::from_secs(seconds),
        };
        let token = JoinTokenText::generate(cluster.clone(), self.0.trust.ca_sha256());
        let expires = self.0.node.now().plus(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        let by = Some(Operator::of_certificate(&operator));
        let command =
            Command::CreateToken { hash: token.secret_hash(), cluster: cluster.clone(), expires, by };
        self.0.metrics.commands.inc();
        let committed =
            self.0.node.propose(vec![command]).await.map_err(|error| self.0.not_committed(&error))?;
        if let Some(rejection) = committed.outcomes.into_iter().find_map(Result::err) {
            return Err(self.0.rejected(&rejection));
        }
        tracing::info!(operator, %cluster, seconds = ttl.as_secs(), "join token made");
        let token = token.to_string();
        Ok(Response::new(wire::CreateTokenResponse { token, expires_unix_millis: expires.0 }))
    }

    async fn catalog(
        &self,
        request: Request<wire::CatalogRequest>,
    ) -> Result<Response<wire::CatalogResponse>, Status> {
        self.operator(&request)?;
        let as_cluster = request.into_inner().as_cluster;
        let as_cluster: Option<ClusterId> = match as_cluster.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|error| self.0.invalid("bad_cluster", &error))?),
        };
        let (revision, items) = self.0.node.read(|state, _| {
            let items = as_cluster.as_ref().map_or_else(|| everything(state), |c| state.snapshot_for(c));
            (state.revision(), items)
        });
        let items = items.iter().map(Into::into).collect();
        let leader_unix_millis = self.0.node.last_batch_at().0;
        Ok(Response::new(wire::CatalogResponse { revision: revision.0, items, leader_unix_millis }))
    }

    type AuditStream = Answers<wire::AuditRecord>;

    async fn audit(
        &self,
        request: Request<wire::AuditRequest>,
    ) -> Result<Response<Self::AuditStream>, Status> {
        self.operator(&request)?;
        Ok(Response::new(audit::audit(Arc::clone(&self.0), &request.into_inner())))
    }

    type BackupStream = Answers<wire::BackupPiece>;

    async fn backup(
        &self,
        request: Request<wire::BackupRequest>,
    ) -> Result<Response<Self::BackupStream>, Status> {
        let operator = self.operator(&request)?;
        Ok(Response::new(backup::backup(&self.0, &operator).await?))
    }
}

fn everything(state: &State) -> Vec<Item> {
    let clusters = state.clusters().cloned().map(Item::Cluster);
    let bundles = state.bundles().cloned().map(Item::Bundle);
    let vips = state.vips().map(|(service, vip)| Item::Vip(service.clone(), *vip));
    let exports = state.exports().cloned().map(|export| Item::Export(Arc::new(export)));
    clusters.chain(bundles).chain(vips).chain(exports).collect()
}
