//! From the command line to the servers, and from their errors to failures that say what to do.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use federation_api::federation::{
    AddMemberRequest, AuditRecord, Member, MembersChanged, PromoteMemberRequest, RemoveMemberRequest,
    StatusResponse, TransferLeadershipRequest,
};
use federation_client::admin_client::CreatedToken;
use federation_client::admin_streams::StreamError;
use federation_client::{AdminClient, ClientError, Servers, Timing};
use federation_model::bundle::AuthorityDer;
use federation_model::{Bundle, ClusterId};
use federation_trust::authorize::FederationServers;
use federation_trust::tls::{ClientTls, Server, client_config};
use federation_trust::{BundleSet, Identity, SharedBundles, SharedIdentity};
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tonic::Code;

use crate::arguments::Access;
use crate::catalogue::Catalogue;
use crate::diagnose;
use crate::failure::{Failure, Kind};

/// The federation, as an operator asks it.
#[derive(Debug, Clone)]
pub struct Federation {
    client: AdminClient,
    /// The same trust as the client's, to find out why nobody answers it.
    tls: Arc<ClientConfig>,
}

impl Federation {
    /// Reads the identity. Nothing is dialled before the first question.
    pub fn connect(access: &Access) -> Result<Self, Failure> {
        if access.servers.is_empty() {
            return Err(Failure::new(Kind::Usage, "it is not known where the federation servers are")
                .next("give --servers HOST:PORT,..., or set ISTHMUS_SERVERS"));
        }
        let Some(dir) = &access.identity else {
            return Err(Failure::new(Kind::Usage, "it is not known who asks")
                .next("give --identity DIR with cert.pem, key.pem and ca.pem, or set ISTHMUS_IDENTITY"));
        };
        let unusable = |what: &str, error: &dyn Error| {
            Failure::new(
                Kind::Usage,
                format!("{} in {} cannot be used: {}", what, dir.display(), chain(error)),
            )
            .next("give an operator's certificate that was issued for this clusterset")
        };
        let identity = Identity::from_pem(&read(dir, "cert.pem")?, &read(dir, "key.pem")?)
            .map_err(|error| unusable("cert.pem and key.pem", &error))?;
        let authorities = CertificateDer::pem_slice_iter(read(dir, "ca.pem")?.as_bytes())
            .map(|authority| authority.map(|der| AuthorityDer(der.to_vec())))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable("ca.pem", &error))?;
        let trust_domain = identity.id().trust_domain().clone();
        let bundle = Bundle { trust_domain, authorities, sequence: 0, refresh_hint: 0 };
        let servers = Servers::new(access.servers.clone()).map_err(|error| {
            Failure::new(Kind::Usage, format!("--servers cannot be used: {error}"))
                .next("write HOST:PORT,HOST:PORT")
        })?;
        let (bundles, _) = BundleSet::from_bundles([&bundle]);
        let tls = client_config(ClientTls {
            identity: Some(SharedIdentity::new(identity.clone())),
            server: Server::Bundles {
                bundles: SharedBundles::new(bundles),
                authorize: Arc::new(FederationServers { clusterset: Some(bundle.trust_domain.clone()) }),
            },
            alpn: vec![b"h2".to_vec()],
        })
        .map_err(|error| unusable("cert.pem and key.pem", &error))?;
        let client = AdminClient::connect(servers, identity, &bundle, Timing::default())
            .map_err(|error| unusable("cert.pem and ca.pem", &error))?;
        Ok(Self { client, tls })
    }

    /// How the federation is doing.
    pub async fn status(&self) -> Result<StatusResponse, Failure> {
        self.or_why(self.client.status().await).await
    }

    /// How one server is. Why it does not answer is not looked into.
    pub async fn status_of(&self, server: &str) -> Result<StatusResponse, Failure> {
        self.client.status_of(server).await.map_err(|error| failure(&error))
    }

    /// The federation servers.
    pub async fn members(&self) -> Result<Vec<Member>, Failure> {
        self.or_why(self.client.members().await).await
    }

    /// Adds a server as a learner.
    pub async fn add_member(&self, request: &AddMemberRequest) -> Result<MembersChanged, Failure> {
        self.or_why(self.client.add_member(request).await).await
    }

    /// Lets a learner vote.
    pub async fn promote_member(&self, request: &PromoteMemberRequest) -> Result<MembersChanged, Failure> {
        self.or_why(self.client.promote_member(request).await).await
    }

    /// Removes a server.
    pub async fn remove_member(&self, request: &RemoveMemberRequest) -> Result<MembersChanged, Failure> {
        self.or_why(self.client.remove_member(request).await).await
    }

    /// Lets another server lead.
    pub async fn transfer_leadership(
        &self,
        request: &TransferLeadershipRequest,
    ) -> Result<MembersChanged, Failure> {
        self.or_why(self.client.transfer_leadership(request).await).await
    }

    /// The catalogue: whole, or as one cluster sees it.
    pub async fn catalogue(&self, seen_by: Option<&ClusterId>) -> Result<Catalogue, Failure> {
        let answer = self.or_why(self.client.catalog(seen_by).await).await?;
        Ok(Catalogue { view: answer.view, now: answer.leader_time })
    }

    /// A one-time join token.
    pub async fn create_token(&self, cluster: &ClusterId, ttl: u64) -> Result<CreatedToken, Failure> {
        self.or_why(self.client.create_token(cluster, ttl).await).await
    }

    /// The changes after a number, in their order.
    pub async fn audit(
        &self,
        after: u64,
        take: impl FnMut(AuditRecord) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.taken(self.client.audit(after, take).await).await
    }

    /// The same, and then changes as they come.
    pub async fn follow_audit(
        &self,
        after: u64,
        take: impl FnMut(AuditRecord) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.taken(self.client.follow_audit(after, take).await).await
    }

    /// The whole catalogue, as the bytes of a backup.
    pub async fn backup(&self, take: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
        self.taken(self.client.backup(take).await).await
    }

    async fn taken(&self, outcome: Result<(), StreamError<Failure>>) -> Result<(), Failure> {
        match outcome {
            Ok(()) => Ok(()),
            Err(StreamError::Taker(failure)) => Err(failure),
            Err(StreamError::Client(error)) => self.or_why(Err(error)).await,
        }
    }

    /// The answer, or why there is none. Where nobody answers it is asked whether that is a matter of trust.
    async fn or_why<T>(&self, answer: Result<T, ClientError>) -> Result<T, Failure> {
        let error = match answer {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if matches!(error, ClientError::Unreachable { .. } | ClientError::Unavailable { .. }) {
            let (servers, tls) = (self.client.servers(), Arc::clone(&self.tls));
            let asked = tokio::task::spawn_blocking(move || diagnose::tls_error(&servers, &tls)).await;
            if let Ok(Some(tls)) = asked {
                return Err(untrusted(&tls));
            }
        }
        Err(failure(&error))
    }
}

fn untrusted(error: &rustls::Error) -> Failure {
    let cause = match error {
        rustls::Error::AlertReceived(alert) => {
            format!("the servers do not accept this certificate ({alert:?})")
        }
        other => format!("what answers at this address is not a server of this clusterset ({other})"),
    };
    Failure::new(Kind::NotAuthorised, cause).next(
        "look at the certificate's dates and name: openssl x509 -in cert.pem -noout -dates -ext subjectAltName",
    )
}

fn read(dir: &Path, name: &str) -> Result<String, Failure> {
    let path = dir.join(name);
    std::fs::read_to_string(&path).map_err(|error| {
        Failure::new(Kind::Usage, format!("cannot read {}: {error}", path.display()))
            .next("--identity names a directory with cert.pem, key.pem and ca.pem")
    })
}

/// Sorts what the client says by what the operator can do about it.
fn failure(error: &ClientError) -> Failure {
    let cause = error.chain();
    let failure = match error.refusal() {
        Some(Code::Unauthenticated | Code::PermissionDenied) => Failure::new(Kind::NotAuthorised, cause)
            .next("operators' certificates have ids spiffe://<clusterset>/isthmus/admin/<name>"),
        Some(Code::NotFound) => {
            let all = "list what there is: isthmus services, isthmus clusters, isthmus members";
            Failure::new(Kind::NotFound, cause).next(all)
        }
        Some(_) => Failure::new(Kind::Refused, cause),
        None => match error {
            ClientError::Answer { .. } | ClientError::Protocol { .. } => {
                Failure::new(Kind::Refused, cause).next("compare the versions: isthmus version")
            }
            _ => Failure::new(Kind::Unreachable, cause).next(
                "check --servers, and that a majority of the servers runs: curl http://SERVER:7402/readyz",
            ),
        },
    };
    match error.reason() {
        Some(reason) => failure.because(reason),
        None => failure,
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
