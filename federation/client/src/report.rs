//! Proof of life, by a stream of its own: no amount of published or watched data can hold it up.

use std::convert::Infallible;
use std::sync::Arc;

use federation_api::federation as wire;
use federation_model::{FederationView, Revision, UnixMillis};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_stream::wrappers::ReceiverStream;

use crate::dial::{Dialer, Target, call};
use crate::error::ClientError;
use crate::publish::Desired;
use crate::watch::Upstream;

/// What the servers last said of our lease.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeaseStatus {
    /// When it ends unless renewed, by the leader's clock; absent before the first answer.
    pub until: Option<UnixMillis>,
    /// When that was said.
    pub heard: Option<Instant>,
    /// Why the last attempt failed; absent while it works.
    pub problem: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Reporter {
    pub(crate) dialer: Dialer,
    pub(crate) desired: watch::Receiver<Arc<Desired>>,
    pub(crate) view: watch::Receiver<Arc<FederationView>>,
    pub(crate) upstream: watch::Receiver<Upstream>,
    /// The revision of the view that was last applied locally.
    pub(crate) applied: watch::Receiver<Revision>,
    pub(crate) version: String,
    pub(crate) status: watch::Sender<LeaseStatus>,
}

impl Reporter {
    pub(crate) async fn run(self) {
        let mut rotation = self.dialer.rotation();
        let mut worked = false;
        loop {
            let target = rotation.next(std::mem::take(&mut worked)).await;
            let Err(error) = self.session(target, &mut worked).await;
            let problem = error.chain();
            tracing::debug!(error = problem, "report stream lost");
            self.status.send_modify(|status| status.problem = Some(problem));
        }
    }

    async fn session(&self, target: Target, worked: &mut bool) -> Result<Infallible, ClientError> {
        let Target { server, mut client } = target;
        let server = server.as_str();
        let limit = self.dialer.timing.answer;
        // Room for one: a report that cannot be sent is not worth keeping.
        let (say, said) = mpsc::channel(1);
        let ended = || ClientError::Ended { server: server.to_owned() };
        say.send(self.report()).await.map_err(|_| ended())?;
        let mut answers = call(server, limit, client.report(ReceiverStream::new(said))).await?;
        let mut ticks = interval(self.dialer.timing.report_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            let answer = timeout(limit, answers.message())
                .await
                .map_err(|_| ClientError::Silent { server: server.to_owned(), limit })?
                .map_err(|status| ClientError::from_status(server, status))?
                .ok_or_else(ended)?;
            *worked = true;
            self.status.send_replace(LeaseStatus {
                until: Some(UnixMillis(answer.lease_until_unix_millis)),
                heard: Some(Instant::now()),
                problem: None,
            });
            ticks.tick().await;
            timeout(limit, say.send(self.report()))
                .await
                .map_err(|_| ClientError::Silent { server: server.to_owned(), limit })?
                .map_err(|_| ended())?;
        }
    }

    fn report(&self) -> wire::ReportRequest {
        let applied = *self.applied.borrow();
        // A view is published when something in it changes. Whoever has applied the newest one is as far as the
        // watch is, however long ago that change was.
        let newest = self.view.borrow().revision;
        let complete = self.upstream.borrow().revision;
        let applied = if applied == newest { complete.max(applied) } else { applied };
        wire::ReportRequest {
            instance: self.desired.borrow().registration.instance.to_string(),
            applied_revision: applied.0,
            version: self.version.clone(),
        }
    }
}
