//! Keeps a watch open with some server.

use std::convert::Infallible;
use std::sync::Arc;

use federation_api::federation as wire;
use federation_model::{FederationView, UnixMillis};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::Upstream;
use super::assembler::{Assembler, Broken, Step};
use super::together::Together;
use crate::dial::{Dialer, Target, call};
use crate::error::ClientError;

#[derive(Debug)]
pub(crate) struct Watcher {
    pub(crate) dialer: Dialer,
    pub(crate) view: watch::Sender<Arc<FederationView>>,
    pub(crate) upstream: watch::Sender<Upstream>,
}

impl Watcher {
    pub(crate) async fn run(self) {
        let mut assembler = Assembler::new(Arc::clone(&self.view.borrow()));
        let mut rotation = self.dialer.rotation();
        let mut worked = false;
        loop {
            let target = rotation.next(std::mem::take(&mut worked)).await;
            let Err(error) = self.session(target, &mut assembler, &mut worked).await;
            let problem = error.chain();
            // Loud once: while every server is away, each attempt fails alike.
            if worked {
                tracing::warn!(error = problem, "watch lost, will try another server");
            } else {
                tracing::debug!(error = problem, "watch not begun, will try another server");
            }
            self.upstream.send_modify(|upstream| {
                upstream.server = None;
                upstream.problem = Some(problem);
            });
        }
    }

    async fn session(
        &self,
        target: Target,
        assembler: &mut Assembler,
        worked: &mut bool,
    ) -> Result<Infallible, ClientError> {
        let Target { server, mut client } = target;
        let server = server.as_str();
        let timing = &self.dialer.timing;
        let server_of = || server.to_owned();
        let (incarnation, revision) = assembler.begin();
        let request = wire::WatchRequest { resume_revision: revision.0, resume_incarnation: incarnation.0 };
        let mut messages = Together::new(call(server, timing.answer, client.watch(request)).await?);
        let mut leader = Leader { time: UnixMillis(0), moved: Instant::now() };
        loop {
            let message = timeout(timing.silence, messages.next())
                .await
                .map_err(|_| ClientError::Silent { server: server_of(), limit: timing.silence })?
                .map_err(|status| ClientError::from_status(server, status))?
                .ok_or_else(|| ClientError::Ended { server: server_of() })?;
            let step = assembler.apply(message).map_err(|broken| match broken {
                Broken::Item(error) => ClientError::Answer { server: server_of(), error },
                Broken::Protocol(problem) => ClientError::Protocol { server: server_of(), problem },
            })?;
            let Step::Consistent { revision, leader_time, view } = step else { continue };
            *worked = true;
            if let Some(view) = view {
                self.view.send_replace(view);
            }
            self.upstream.send_modify(|upstream| {
                upstream.server = Some(server_of());
                upstream.problem = None;
                upstream.revision = revision;
                upstream.heard = Some(Instant::now());
                upstream.leader_time = leader_time.unwrap_or(upstream.leader_time);
            });
            if leader_time.is_some_and(|time| leader.stands_still(time, timing.leader_stall)) {
                return Err(ClientError::Stalled { server: server_of(), limit: timing.leader_stall });
            }
        }
    }
}

/// The leader's clock as one server shows it.
struct Leader {
    time: UnixMillis,
    moved: Instant,
}

impl Leader {
    fn stands_still(&mut self, time: UnixMillis, limit: std::time::Duration) -> bool {
        if time > self.time {
            *self = Self { time, moved: Instant::now() };
        }
        self.moved.elapsed() > limit
    }
}
