//! Carries the ledger's messages to a server and the answers back, and changes the server when it must.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::SystemTime;

use federation_kit::backoff::Backoff;
use federation_model::{FederationView, Generation, ServiceId, UnixMillis};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;

use super::ledger::{Ledger, RegistrationRefused};
use super::{Desired, PublishStatus};
use crate::dial::{Dialer, Target, call};
use crate::error::ClientError;

/// Messages on their way; beyond that the ledger keeps them, coalesced.
const IN_FLIGHT: usize = 64;

#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) dialer: Dialer,
    pub(crate) desired: watch::Receiver<Arc<Desired>>,
    /// What the federation shows of us, to count above it.
    pub(crate) view: watch::Receiver<Arc<FederationView>>,
    pub(crate) version: String,
    pub(crate) status: watch::Sender<PublishStatus>,
}

impl Publisher {
    pub(crate) async fn run(mut self) {
        let desired = Arc::clone(&self.desired.borrow_and_update());
        let mut ledger = Ledger::new(desired, self.version.clone(), self.status.clone());
        let mut rotation = self.dialer.rotation();
        let mut worked = false;
        loop {
            let target = rotation.next(std::mem::take(&mut worked)).await;
            let Err(error) = self.session(target, &mut ledger, &mut worked).await;
            if error.is_displaced() {
                worked = false;
            }
            let problem = error.chain();
            // Loud once: while every server is away, each attempt fails alike.
            if worked {
                tracing::warn!(error = problem, "publish stream lost, will try another server");
            } else {
                tracing::debug!(error = problem, "publish stream not begun, will try another server");
            }
            self.status.send_modify(|status| {
                status.server = None;
                status.problem = Some(problem);
            });
        }
    }

    async fn session(
        &mut self,
        target: Target,
        ledger: &mut Ledger,
        worked: &mut bool,
    ) -> Result<Infallible, ClientError> {
        let Target { server, mut client } = target;
        let server = server.as_str();
        let timing = self.dialer.timing;
        let ended = || ClientError::Ended { server: server.to_owned() };
        ledger.begin();
        let (say, said) = mpsc::channel(IN_FLIGHT);
        // The hello goes first, so that a server may read it before it answers at all.
        if let Some(hello) = self.next(ledger) {
            say.send(hello).await.map_err(|_| ended())?;
        }
        let mut answers = call(server, timing.answer, client.publish(ReceiverStream::new(said))).await?;
        self.status.send_modify(|status| {
            status.server = Some(server.to_owned());
            status.problem = None;
        });
        let (min, max) = timing.retry_refused;
        let mut backoff = Backoff::new(min, max);
        let mut retry_at = None;
        let mut heard = Instant::now();
        let mut desired_gone = false;
        loop {
            let waiting = ledger.unanswered() > 0;
            tokio::select! {
                // Answers first: they free the server to read on, and both sides can never wait for each other.
                biased;
                answer = answers.message() => {
                    let answer = answer.map_err(|status| ClientError::from_status(server, status))?;
                    let refused = |RegistrationRefused { reason, message }| {
                        ClientError::RegistrationRefused { server: server.to_owned(), reason, message }
                    };
                    ledger.answer(answer.ok_or_else(ended)?).map_err(refused)?;
                    heard = Instant::now();
                    *worked = true;
                    if ledger.has_refused() && retry_at.is_none() {
                        retry_at = Some(Instant::now() + backoff.next_delay());
                    }
                }
                changed = self.desired.changed(), if !desired_gone => match changed {
                    Ok(()) => ledger.desire(Arc::clone(&self.desired.borrow_and_update())),
                    // Whoever desires is gone: what was desired last stays published.
                    Err(_) => desired_gone = true,
                },
                permit = say.reserve(), if ledger.has_more() => {
                    let permit = permit.map_err(|_| ended())?;
                    if let Some(message) = self.next(ledger) {
                        // The clock of an answer starts when there is something to answer.
                        if !waiting {
                            heard = Instant::now();
                        }
                        permit.send(message);
                    }
                }
                () = sleep_until(heard + timing.answer), if waiting => {
                    return Err(ClientError::Silent { server: server.to_owned(), limit: timing.answer });
                }
                () = sleep_until(retry_at.unwrap_or(heard)), if retry_at.is_some() => {
                    retry_at = None;
                    ledger.retry_refused();
                }
            }
        }
    }

    fn next(&self, ledger: &mut Ledger) -> Option<federation_api::federation::PublishRequest> {
        let view = Arc::clone(&self.view.borrow());
        let desired = self.desired.borrow();
        let cluster = &desired.registration.cluster;
        let present = |id: &ServiceId| -> Option<Generation> {
            view.exports.get(id).and_then(|exporters| exporters.get(cluster)).map(|export| export.generation)
        };
        ledger.next(now(), present)
    }
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
