//! The shell around the sessions: streams, identities, status. Each stream is driven by whoever reads it, so that
//! there is no task to own, and a slow proxy holds up nothing and gets the latest state when it reads on.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server::AggregatedDiscoveryService;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use federation_model::{SpiffeId, TrustDomain};
use federation_trust::Identity;
use futures::{Stream, stream};
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::build::{self, SharedBuilder};
use super::metrics::XdsMetrics;
use super::node::NodeInfo;
use super::resource::Snapshot;
use super::session::{Delta, Session, Sotw, Step, Verdict};
use super::status::{StreamStatus, XdsStatus};
use crate::control::config::{ConfigReceiver, Numbered};
use crate::control::issue::IssueIdentity;

/// How soon an identity that could not be issued is tried again.
const ISSUE_AGAIN: Duration = Duration::from_secs(10);

/// The aggregated discovery service, both protocols.
#[derive(Debug, Clone)]
pub struct XdsServer {
    config: ConfigReceiver,
    issuer: Arc<dyn IssueIdentity>,
    status: XdsStatus,
    stop: CancellationToken,
    metrics: XdsMetrics,
    shared: Arc<Mutex<SharedBuilder>>,
}

impl XdsServer {
    /// A service whose streams end with `stop`. Registers its metrics.
    pub fn new(
        config: ConfigReceiver,
        issuer: Arc<dyn IssueIdentity>,
        status: XdsStatus,
        stop: CancellationToken,
        registry: &mut Registry,
    ) -> Self {
        let (metrics, shared) = (XdsMetrics::register(registry), Arc::default());
        Self { config, issuer, status, stop, metrics, shared }
    }

    fn serve<S: Session>(&self, requests: Streaming<S::Request>) -> Responses<S::Response> {
        let serving = Serving { server: self.clone(), requests, stage: Stage::<S>::New };
        Box::pin(stream::unfold(serving, Serving::next))
    }
}

type Responses<R> = Pin<Box<dyn Stream<Item = Result<R, Status>> + Send>>;

#[tonic::async_trait]
impl AggregatedDiscoveryService for XdsServer {
    type StreamAggregatedResourcesStream = Responses<DiscoveryResponse>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        Ok(Response::new(self.serve::<Sotw>(request.into_inner())))
    }

    type DeltaAggregatedResourcesStream = Responses<DeltaDiscoveryResponse>;

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        Ok(Response::new(self.serve::<Delta>(request.into_inner())))
    }
}

/// One stream.
struct Serving<S: Session> {
    server: XdsServer,
    requests: Streaming<S::Request>,
    stage: Stage<S>,
}

enum Stage<S: Session> {
    /// Nothing was read yet.
    New,
    /// The node is known.
    Open(Box<Open<S>>),
    /// An error was sent; nothing follows.
    Over,
}

struct Open<S: Session> {
    node: NodeInfo,
    credential: Credential,
    session: S,
    status: StreamStatus,
    queue: VecDeque<S::Response>,
}

/// What a proxy is given to show to others.
struct Credential {
    identity: Option<Identity>,
    /// For which domain it was made.
    domain: TrustDomain,
    /// When to make another; none if the node has no identity.
    renew: Option<Instant>,
}

impl<S: Session> Serving<S> {
    async fn next(mut self) -> Option<(Result<S::Response, Status>, Self)> {
        loop {
            let stop = self.server.stop.clone();
            let stepped = tokio::select! {
                biased;
                () = stop.cancelled() => None,
                stepped = self.step() => stepped,
            };
            match stepped? {
                Ok(Some(response)) => return Some((Ok(response), self)),
                Ok(None) => {}
                Err(status) => {
                    self.stage = Stage::Over;
                    return Some((Err(status), self));
                }
            }
        }
    }

    /// Waits for one thing and deals with it. `None` ends the stream. Nothing is lost if it is dropped while it waits.
    async fn step(&mut self) -> Option<Result<Option<S::Response>, Status>> {
        match &mut self.stage {
            Stage::Over => None,
            Stage::New => {
                let request = match self.requests.message().await {
                    Ok(request) => request?,
                    Err(status) => return ended(&status),
                };
                match self.server.open::<S>(request).await? {
                    Ok(open) => self.stage = Stage::Open(Box::new(open)),
                    Err(status) => return Some(Err(status)),
                }
                Some(Ok(None))
            }
            Stage::Open(open) => {
                if let Some(response) = open.queue.pop_front() {
                    return Some(Ok(Some(response)));
                }
                let renew = open.credential.renew;
                let due = async {
                    match renew {
                        Some(at) => tokio::time::sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    request = self.requests.message() => match request {
                        Ok(request) => {
                            let step = open.session.on_request(request?);
                            self.server.stepped(open, step);
                        }
                        Err(status) => return ended(&status),
                    },
                    more = self.server.config.changed() => {
                        if !more {
                            return None;
                        }
                        self.server.refresh(open, false);
                    }
                    () = due => self.server.refresh(open, true),
                }
                Some(Ok(None))
            }
        }
    }
}

/// A proxy that goes away is no error of ours.
fn ended<T>(status: &Status) -> Option<Result<T, Status>> {
    tracing::debug!(%status, "xds stream ended by the proxy");
    None
}

impl XdsServer {
    /// Deals with the first request. Waits for the first configuration: an empty answer would delete what the proxy
    /// has.
    async fn open<S: Session>(&mut self, request: S::Request) -> Option<Result<Open<S>, Status>> {
        let node = match NodeInfo::parse(S::node(&request)) {
            Ok(node) => node,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "xds stream refused");
                let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
                return Some(Err(Status::invalid_argument(format!("{error}{source}"))));
            }
        };
        let Some(status) = self.status.enter(&node.id) else {
            return Some(Err(Status::resource_exhausted("there are too many proxies")));
        };
        self.config.first().await?;
        let now = self.config.seen()?;
        tracing::info!(node = node.id, "proxy connected");
        let credential = self.credential(&node, &now.config.trust_domain);
        let snapshot = self.snapshot(&now, &node, &credential);
        let mut session = S::new(Arc::new(snapshot));
        let step = session.on_request(request);
        let mut open = Open { node, credential, session, status, queue: VecDeque::new() };
        self.stepped(&mut open, step);
        Some(Ok(open))
    }

    fn stepped<S: Session>(&self, open: &mut Open<S>, step: Step<S::Response>) {
        open.queue.extend(step.responses);
        if let Some(verdict) = &step.verdict {
            self.metrics.judged(verdict);
        }
        if let Some(Verdict::Rejected { kind, complaint }) = &step.verdict {
            tracing::warn!(node = open.node.id, kind = kind.short(), complaint, "proxy rejected resources");
        }
        let settled = open.queue.is_empty() && open.session.settled();
        open.status.note(step.verdict, settled.then(|| open.session.snapshot().sequence()));
    }

    /// Tells the session of the present configuration, and of a new identity if one is due.
    fn refresh<S: Session>(&mut self, open: &mut Open<S>, renew: bool) {
        let Some(now) = self.config.seen() else { return };
        if renew || open.credential.domain != now.config.trust_domain {
            let before = open.credential.identity.take();
            open.credential = self.credential(&open.node, &now.config.trust_domain);
            let same_domain = |old: &Identity| old.id().trust_domain() == &now.config.trust_domain;
            if open.credential.identity.is_none() {
                // The old one is better than none while it lasts.
                open.credential.identity = before.filter(same_domain);
            }
        }
        let snapshot = Arc::new(self.snapshot(&now, &open.node, &open.credential));
        let responses = open.session.on_snapshot(snapshot);
        self.stepped(open, Step { responses, verdict: None });
    }

    fn credential(&self, node: &NodeInfo, domain: &TrustDomain) -> Credential {
        let none = |renew| Credential { identity: None, domain: domain.clone(), renew };
        let (Some(namespace), Some(account)) = (&node.meta.namespace, &node.meta.service_account) else {
            return none(None);
        };
        let again = Some(Instant::now() + ISSUE_AGAIN);
        let id = match SpiffeId::workload(domain, namespace, account) {
            Ok(id) => id,
            Err(error) => {
                tracing::warn!(node = node.id, %error, "proxy has no identity");
                return none(None);
            }
        };
        match self.issuer.identity_for(&id) {
            Ok(identity) => {
                let rest = identity.renew_at().duration_since(SystemTime::now()).unwrap_or(ISSUE_AGAIN);
                Credential {
                    domain: domain.clone(),
                    renew: Some(Instant::now() + rest),
                    identity: Some(identity),
                }
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(node = node.id, %id, error, "identity of proxy not issued");
                none(again)
            }
        }
    }

    /// What all proxies share is made by whoever asks first.
    fn snapshot(&self, now: &Numbered, node: &NodeInfo, credential: &Credential) -> Snapshot {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner).build(&now.config);
        build::snapshot(now.sequence, &now.config, &shared, node, credential.identity.as_ref())
    }
}
