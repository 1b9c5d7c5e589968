//! What an operator asks, of whichever server answers.

use std::sync::Arc;
use std::time::Duration;

use federation_api::federation as wire;
use federation_model::{Bundle, ClusterId, FederationView, Item, Revision, UnixMillis};
use federation_trust::{BundleSet, Identity, SharedBundles, SharedIdentity};
use rustls::ClientConfig;
use tonic::transport::Channel;

use crate::dial::{admin, call, channel, first_answer, mutual};
use crate::error::ClientError;
use crate::servers::Servers;
use crate::timing::Timing;

/// How long a change of the members may take: a server answers within ten seconds, whatever comes of it.
const MEMBERSHIP: Duration = Duration::from_secs(15);

/// Calls with an operator's certificate. Each call asks one server after the other until one answers.
#[derive(Debug, Clone)]
pub struct AdminClient {
    servers: Servers,
    tls: Arc<ClientConfig>,
    timing: Timing,
}

/// A fresh join token, shown once.
#[derive(Debug, Clone)]
pub struct CreatedToken {
    /// The whole text.
    pub token: String,
    /// When it becomes worthless.
    pub expires: UnixMillis,
}

/// The catalogue at one moment.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// What is visible.
    pub view: FederationView,
    /// The leader's clock.
    pub leader_time: UnixMillis,
}

impl AdminClient {
    /// Prepares to talk to the servers of the clusterset whose `bundle` this is. Nothing is dialled yet.
    pub fn connect(
        servers: Servers,
        identity: Identity,
        bundle: &Bundle,
        timing: Timing,
    ) -> Result<Self, ClientError> {
        let (bundles, _) = BundleSet::from_bundles([bundle]);
        let tls = mutual(SharedIdentity::new(identity), SharedBundles::new(bundles), &bundle.trust_domain)?;
        Ok(Self { servers, tls, timing })
    }

    pub(crate) fn timing(&self) -> &Timing {
        &self.timing
    }

    pub(crate) fn channel(&self, server: &str) -> Channel {
        channel(&self.timing, server, &self.tls)
    }

    /// The servers that are asked.
    pub fn servers(&self) -> Arc<Vec<String>> {
        self.servers.get()
    }

    /// How the federation is, by the first server that answers.
    pub async fn status(&self) -> Result<wire::StatusResponse, ClientError> {
        first_answer(&self.servers.get(), |server| async move { self.status_of(&server).await }).await
    }

    /// How one server is.
    pub async fn status_of(&self, server: &str) -> Result<wire::StatusResponse, ClientError> {
        let mut client = admin(channel(&self.timing, server, &self.tls));
        call(server, self.timing.answer, client.status(wire::StatusRequest {})).await
    }

    /// The members of the Raft group.
    pub async fn members(&self) -> Result<Vec<wire::Member>, ClientError> {
        first_answer(&self.servers.get(), |server| async move {
            let mut client = admin(channel(&self.timing, &server, &self.tls));
            let answer = call(&server, self.timing.answer, client.members(wire::MembersRequest {})).await?;
            Ok(answer.members)
        })
        .await
    }

    /// Adds an empty server as a learner.
    pub async fn add_member(
        &self,
        request: &wire::AddMemberRequest,
    ) -> Result<wire::MembersChanged, ClientError> {
        first_answer(&self.servers.get(), |server| async move {
            let mut client = admin(channel(&self.timing, &server, &self.tls));
            call(&server, MEMBERSHIP, client.add_member(request.clone())).await
        })
        .await
    }

    /// Lets a learner vote.
    pub async fn promote_member(
        &self,
        request: &wire::PromoteMemberRequest,
    ) -> Result<wire::MembersChanged, ClientError> {
        first_answer(&self.servers.get(), |server| async move {
            let mut client = admin(channel(&self.timing, &server, &self.tls));
            call(&server, MEMBERSHIP, client.promote_member(*request)).await
        })
        .await
    }

    /// Removes a member.
    pub async fn remove_member(
        &self,
        request: &wire::RemoveMemberRequest,
    ) -> Result<wire::MembersChanged, ClientError> {
        first_answer(&self.servers.get(), |server| async move {
            let mut client = admin(channel(&self.timing, &server, &self.tls));
            call(&server, MEMBERSHIP, client.remove_member(*request)).await
        })
        .await
    }

    /// Lets another server lead.
    pub async fn transfer_leadership(
        &self,
        request: &wire::TransferLeadershipRequest,
    ) -> Result<wire::MembersChanged, ClientError> {
        first_answer(&self.servers.get(), |server| async move {
            let mut client = admin(channel(&self.timing, &server, &self.tls));
            call(&server, MEMBERSHIP, client.transfer_leadership(*request)).await
        })
        .await
    }

    /// Makes a token with which `cluster` may join; `ttl_seconds` of zero means the servers' default.
    pub async fn create_token(
        &self,
        cluster: &ClusterId,
        ttl_seconds: u64,
    ) -> Result<CreatedToken, ClientError> {
        let request = &wire::CreateTokenRequest { cluster: cluster.to_string(), ttl_seconds };
        first_answer(&self.servers.get(), |server| async move {
            let mut client = admin(channel(&self.timing, &server, &self.tls));
            let answer = call(&server, self.timing.answer, client.create_token(request.clone())).await?;
            Ok(CreatedToken { token: answer.token, expires: UnixMillis(answer.expires_unix_millis) })
        })
        .await
    }

    /// The catalogue as `cluster` sees it; all of it for none.
    pub async fn catalog(&self, cluster: Option<&ClusterId>) -> Result<Catalog, ClientError> {
        let as_cluster = cluster.map(ToString::to_string).unwrap_or_default();
        let request = &wire::CatalogRequest { as_cluster };
        first_answer(&self.servers.get(), |server| async move {
            let mut client = admin(channel(&self.timing, &server, &self.tls));
            let answer = call(&server, self.timing.answer, client.catalog(request.clone())).await?;
            let mut view =
                FederationView { revision: Revision(answer.revision), ..FederationView::default() };
            for item in answer.items {
                let item = Item::try_from(item)
                    .map_err(|error| ClientError::Answer { server: server.clone(), error })?;
                view.upsert(item);
            }
            Ok(Catalog { view, leader_time: UnixMillis(answer.leader_unix_millis) })
        })
        .await
    }
}
