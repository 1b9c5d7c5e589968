//! The gRPC services: one file per call. What they share is [`Context`].

mod admin;
mod audit;
mod backup;
mod join;
mod members;
mod publish;
mod renew;
mod report;
mod watch;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use federation_api::federation as wire;
use federation_api::federation::federation_server::Federation;
use federation_kit::drain::DrainObserver;
use federation_model::{Incarnation, Rejection, Revision};
use federation_raft::{Node, ProposeError};
use futures::Stream;
use tokio::sync::Semaphore;
use tonic::{Code, Extensions, Request, Response, Status, Streaming};

use crate::authz::{self, refusal};
use crate::limits::{Exceeded, Kind, Limits, Memory, Rates, Slot, Streams};
use crate::metrics::Metrics;
use crate::trust::Trust;

pub use self::admin::AdminService;
pub use self::report::Reports;
pub use self::watch::{Lag, Lags};

/// Most joins judged at the same time: the one call that strangers may make.
const MAX_JOINS: usize = 16;

/// What every call needs.
#[derive(Debug)]
pub struct Context {
    /// The catalogue and its consensus.
    pub node: Node,
    /// Certificates.
    pub trust: Arc<Trust>,
    /// Counters.
    pub metrics: Metrics,
    /// What one cluster may take.
    pub limits: Limits,
    /// Open streams by cluster.
    pub streams: Streams,
    /// How fast each cluster may change things.
    pub rates: Rates,
    /// What this server has left.
    pub memory: Memory,
    /// What agents last reported.
    pub reports: Reports,
    /// Where agents should dial, if that is configured.
    pub advertised: Option<Vec<String>>,
    /// Streams end when it begins, so that agents move to another server.
    pub drain: DrainObserver,
    /// What all watches share.
    pub watch: watch::Shared,
    joins: Semaphore,
    started: Instant,
}

impl Context {
    /// Puts a context together.
    pub fn new(
        node: Node,
        trust: Arc<Trust>,
        metrics: Metrics,
        advertised: Option<Vec<String>>,
        limits: Limits,
        drain: DrainObserver,
    ) -> Self {
        let most = usize::try_from(limits.streams.get()).unwrap_or(usize::MAX);
        let (streams, rates) = (Streams::new(most), Rates::new(limits));
        let pressure = metrics.memory_pressure.clone();
        let memory = Memory::new(limits.memory_bytes, metrics.resident.clone(), pressure);
        let (reports, joins) = (Reports::default(), Semaphore::new(MAX_JOINS));
        let (watch, started) = (watch::Shared::default(), Instant::now());
        Self {
            node,
            trust,
            metrics,
            limits,
            streams,
            rates,
            memory,
            reports,
            advertised,
            drain,
            watch,
            joins,
            started,
        }
    }

    /// Where agents should dial: as configured, else wherever the members are now. A server that does not take part
    /// knows of none.
    fn servers(&self) -> Result<Vec<String>, Status> {
        let members = || self.node.status().members.into_iter().map(|member| member.member.api).collect();
        let servers: Vec<String> = self.advertised.clone().unwrap_or_else(members);
        if servers.is_empty() {
            return Err(self.refused(Code::Unavailable, "not_a_member", "this server does not take part"));
        }
        Ok(servers)
    }

    /// The calling agent's cluster, and its right to one more stream. Memory holds back no proof of life: a cluster whose
    /// lease ends costs everybody more than its stream.
    fn agent_stream(
        &self,
        extensions: &Extensions,
        kind: Kind,
    ) -> Result<(federation_model::ClusterId, Slot), Status> {
        let cluster = authz::agent(&self.trust, &self.metrics, extensions)?;
        let gauge = match kind {
            Kind::Watch => Some(&self.metrics.watchers),
            Kind::Publish => Some(&self.metrics.publishers),
            Kind::Report => None,
        };
        if kind != Kind::Report {
            self.memory.admit().map_err(|exceeded| self.exhausted(exceeded))?;
        }
        let slot = self.streams.open(&cluster, kind, gauge).map_err(|exceeded| self.exhausted(exceeded))?;
        Ok((cluster, slot))
    }

    /// A counted refusal.
    fn refused(&self, code: Code, reason: &'static str, message: impl Into<String>) -> Status {
        self.metrics.refuse(reason);
        refusal(code, reason, message)
    }

    /// A counted refusal of something malformed.
    fn invalid(&self, reason: &'static str, error: &(dyn std::error::Error + 'static)) -> Status {
        self.refused(Code::InvalidArgument, reason, federation_kit::exit::chain(error).to_string())
    }

    /// A counted refusal of what would pass a limit.
    fn exhausted(&self, exceeded: Exceeded) -> Status {
        self.refused(Code::ResourceExhausted, exceeded.quota.reason(), exceeded.to_string())
    }

    /// A counted rejection by the catalogue.
    fn rejected(&self, rejection: &Rejection) -> Status {
        let code = match rejection {
            Rejection::UnknownToken
            | Rejection::TokenExpired { .. }
            | Rejection::TokenUsed
            | Rejection::TokenForAnother { .. } => Code::PermissionDenied,
            _ => Code::FailedPrecondition,
        };
        self.refused(code, rejection.reason(), rejection.to_string())
    }

    /// A change that could not be committed now.
    fn not_committed(&self, error: &ProposeError) -> Status {
        let (code, reason) = match error {
            ProposeError::NoLeader { .. } | ProposeError::NotLeader => (Code::Unavailable, "no_leader"),
            ProposeError::DiskFull => (Code::Unavailable, "disk_full"),
            ProposeError::Busy => (Code::ResourceExhausted, "busy"),
            ProposeError::TooLarge { .. } => (Code::InvalidArgument, "too_large"),
            ProposeError::Stopped => (Code::Unavailable, "stopping"),
        };
        self.refused(code, reason, error.to_string())
    }

    /// The error of an inbound stream, counted if the message was the reason.
    fn broken(&self, status: &Status) {
        if status.code() == Code::OutOfRange {
            self.metrics.refuse("message_too_large");
        }
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// `isthmus.federation.v1.Federation`.
#[derive(Debug, Clone)]
pub struct FederationService(pub Arc<Context>);

#[tonic::async_trait]
impl Federation for FederationService {
    async fn join(
        &self,
        request: Request<wire::JoinRequest>,
    ) -> Result<Response<wire::JoinResponse>, Status> {
        join::join(&self.0, request.into_inner()).await.map(Response::new)
    }

    async fn renew(
        &self,
        request: Request<wire::RenewRequest>,
    ) -> Result<Response<wire::RenewResponse>, Status> {
        let cluster = authz::agent(&self.0.trust, &self.0.metrics, request.extensions())?;
        renew::renew(&self.0, &cluster, &request.into_inner()).map(Response::new)
    }

    type PublishStream = Answers<wire::PublishResponse>;

    async fn publish(
        &self,
        request: Request<Streaming<wire::PublishRequest>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let (cluster, slot) = self.0.agent_stream(request.extensions(), Kind::Publish)?;
        Ok(Response::new(publish::publish(Arc::clone(&self.0), cluster, slot, request.into_inner())))
    }

    type WatchStream = Answers<wire::WatchResponse>;

    async fn watch(
        &self,
        request: Request<wire::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (cluster, slot) = self.0.agent_stream(request.extensions(), Kind::Watch)?;
        let request = request.into_inner();
        let seen = watch::Seen {
            incarnation: Incarnation(request.resume_incarnation),
            revision: Revision(request.resume_revision),
        };
        Ok(Response::new(watch::watch(Arc::clone(&self.0), cluster, slot, seen)))
    }

    type ReportStream = Answers<wire::ReportResponse>;

    async fn report(
        &self,
        request: Request<Streaming<wire::ReportRequest>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        let (cluster, slot) = self.0.agent_stream(request.extensions(), Kind::Report)?;
        Ok(Response::new(report::report(Arc::clone(&self.0), cluster, slot, request.into_inner())))
    }
}
