//! What a server of the test federation answers to operators.

use federation_api::federation as wire;
use federation_api::federation::admin_server::Admin;
use federation_kit::grpc::TlsPeer;
use federation_trust::JoinTokenText;
use federation_trust::infra::{Role, role};
use federation_trust::verify::peer_id;
use futures::stream;
use tonic::{Request, Response, Status};

use super::clusterset;
use super::service::{Answers, Service};

fn admin<T>(request: Request<T>) -> Result<T, Status> {
    let peer = request.extensions().get::<TlsPeer>().unwrap();
    let id = peer_id(&peer.chain).map_err(|_| Status::unauthenticated("a certificate is needed"))?;
    match role(&id, Some(&clusterset())) {
        Role::Admin(_) => Ok(request.into_inner()),
        _ => Err(Status::permission_denied("not an operator")),
    }
}

#[tonic::async_trait]
impl Admin for Service {
    async fn status(
        &self,
        request: Request<wire::StatusRequest>,
    ) -> Result<Response<wire::StatusResponse>, Status> {
        admin(request)?;
        let clusterset = clusterset().to_string();
        Ok(Response::new(wire::StatusResponse { clusterset, server_id: self.id, ..Default::default() }))
    }

    async fn members(
        &self,
        request: Request<wire::MembersRequest>,
    ) -> Result<Response<wire::MembersResponse>, Status> {
        admin(request)?;
        let member = wire::Member { id: self.id, ..Default::default() };
        Ok(Response::new(wire::MembersResponse { members: vec![member] }))
    }

    async fn add_member(
        &self,
        request: Request<wire::AddMemberRequest>,
    ) -> Result<Response<wire::MembersChanged>, Status> {
        admin(request)?;
        Ok(Response::new(wire::MembersChanged { changed: true, leader_id: self.id }))
    }

    async fn promote_member(
        &self,
        request: Request<wire::PromoteMemberRequest>,
    ) -> Result<Response<wire::MembersChanged>, Status> {
        let changed = !admin(request)?.only_check;
        Ok(Response::new(wire::MembersChanged { changed, leader_id: self.id }))
    }

    async fn remove_member(
        &self,
        request: Request<wire::RemoveMemberRequest>,
    ) -> Result<Response<wire::MembersChanged>, Status> {
        let id = admin(request)?.id;
        Err(Status::not_found(format!("server {id} is not a member")))
    }

    async fn transfer_leadership(
        &self,
        request: Request<wire::TransferLeadershipRequest>,
    ) -> Result<Response<wire::MembersChanged>, Status> {
        let leader_id = admin(request)?.to.unwrap_or(self.id);
        Ok(Response::new(wire::MembersChanged { changed: true, leader_id }))
    }

    async fn create_token(
        &self,
        request: Request<wire::CreateTokenRequest>,
    ) -> Result<Response<wire::CreateTokenResponse>, Status> {
        let cluster = admin(request)?.cluster.parse().unwrap();
        let token = JoinTokenText::generate(cluster, self.federation.authority.fingerprint()).to_string();
        Ok(Response::new(wire::CreateTokenResponse { token, expires_unix_millis: 99 }))
    }

    async fn catalog(
        &self,
        request: Request<wire::CatalogRequest>,
    ) -> Result<Response<wire::CatalogResponse>, Status> {
        admin(request)?;
        let catalogue = self.federation.catalogue.borrow();
        let items = catalogue.items.values().map(|(_, item)| item.into()).collect();
        let (revision, leader_unix_millis) = (catalogue.revision, 5);
        Ok(Response::new(wire::CatalogResponse { revision, items, leader_unix_millis }))
    }

    type AuditStream = Answers<wire::AuditRecord>;

    /// Says the next two numbers, and breaks off.
    async fn audit(
        &self,
        request: Request<wire::AuditRequest>,
    ) -> Result<Response<Self::AuditStream>, Status> {
        let wire::AuditRequest { after, follow } = admin(request)?;
        let record = |number| Ok(wire::AuditRecord { number, ..Default::default() });
        let end = follow.then(|| Err(Status::unavailable("stopping")));
        let records = [record(after + 1), record(after + 2)].into_iter().chain(end);
        Ok(Response::new(Box::pin(stream::iter(records))))
    }

    type BackupStream = Answers<wire::BackupPiece>;

    async fn backup(
        &self,
        request: Request<wire::BackupRequest>,
    ) -> Result<Response<Self::BackupStream>, Status> {
        admin(request)?;
        let piece = |bytes: &[u8]| Ok(wire::BackupPiece { bytes: bytes.to_vec() });
        let pieces = [piece(b"one "), piece(b"two")];
        Ok(Response::new(Box::pin(stream::iter(pieces))))
    }
}
