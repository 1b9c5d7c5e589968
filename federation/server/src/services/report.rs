//! An agent's proof of life: every message renews its cluster's lease.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use federation_api::federation as wire;
use federation_model::{ClusterId, Command, InstanceId, Lease, Revision};
use futures::stream;
use tonic::{Code, Status, Streaming};

use super::{Answers, Context};
use crate::limits::Slot;

/// Longest version that an agent may call itself, in bytes.
const MAX_VERSION: usize = 64;
/// How long to wait until this server has applied a renewal that the leader has committed.
const CATCH_UP: Duration = Duration::from_secs(2);

/// What an agent last said of itself at this server.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Reported {
    /// The revision that its plan was last made from.
    pub applied_revision: u64,
    /// Its version.
    pub version: String,
}

/// The last report of each cluster at this server; not replicated, since it only informs operators.
#[derive(Debug, Clone, Default)]
pub struct Reports {
    last: Arc<Mutex<BTreeMap<ClusterId, Reported>>>,
}

impl Reports {
    /// The last report of `cluster`.
    #[must_use]
    pub fn of(&self, cluster: &ClusterId) -> Option<Reported> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).get(cluster).cloned()
    }

    fn set(&self, cluster: &ClusterId, reported: Reported) {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).insert(cluster.clone(), reported);
    }
}

struct Report {
    context: Arc<Context>,
    cluster: ClusterId,
    requests: Streaming<wire::ReportRequest>,
    _slot: Slot,
}

pub(super) fn report(
    context: Arc<Context>,
    cluster: ClusterId,
    slot: Slot,
    requests: Streaming<wire::ReportRequest>,
) -> Answers<wire::ReportResponse> {
    let report = Report { context, cluster, requests, _slot: slot };
    Box::pin(stream::unfold(Some(report), |report| async {
        let mut report = report?;
        match report.next().await {
            Ok(Some(answer)) => Some((Ok(answer), Some(report))),
            Ok(None) => None,
            Err(status) => Some((Err(status), None)),
        }
    }))
}

impl Report {
    async fn next(&mut self) -> Result<Option<wire::ReportResponse>, Status> {
        let context = &self.context;
        let request = tokio::select! {
            received = self.requests.message() => received.inspect_err(|status| context.broken(status))?,
            () = context.drain.wait() => return Err(Status::unavailable("this server is stopping")),
        };
        let Some(request) = request else { return Ok(None) };
        let instance: InstanceId =
            request.instance.parse().map_err(|error| context.invalid("invalid", &error))?;
        if request.version.len() > MAX_VERSION {
            return Err(context.refused(Code::InvalidArgument, "invalid", "version is too long"));
        }
        let reported = Reported { applied_revision: request.applied_revision, version: request.version };

        let command = Command::RenewLease { cluster: self.cluster.clone(), instance };
        context.metrics.commands.inc();
        let committed = context.node.propose(vec![command]).await.map_err(|e| context.not_committed(&e))?;
        if let Some(rejection) = committed.outcomes.into_iter().find_map(Result::err) {
            return Err(context.rejected(&rejection));
        }
        context.reports.set(&self.cluster, reported);
        let until = self.lease_until(committed.revision).await;
        Ok(Some(wire::ReportResponse { lease_until_unix_millis: until }))
    }

    /// By this server's applied state, which follows the leader's within moments; if it does not, the older lease is
    /// the careful answer.
    async fn lease_until(&self, revision: Revision) -> u64 {
        self.context.node.wait_applied(revision, CATCH_UP).await;
        self.context.node.read(|state, _| match state.cluster(&self.cluster).map(|c| &c.lease) {
            Some(Lease::Held { until, .. }) => until.0,
            _ => 0,
        })
    }
}
