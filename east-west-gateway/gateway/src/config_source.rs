//! Where the configuration and the certificate come from: the agent of the cluster, and the disk when it is gone.
//!
//! The agent is followed for ever. Losing it changes nothing that is in force; a gateway that starts without it
//! begins with what was last good. The order for each configuration: validated whole, written to disk, put in force.

use std::sync::Arc;
use std::time::Duration;

use federation_api::gateway as wire;
use federation_kit::backoff::Backoff;
use federation_kit::drain::DrainWatcher;
use federation_kit::exit::chain;
use federation_kit::files::FileError;
use federation_kit::readiness::Block;
use federation_model::trust_domain::TrustDomain;
use federation_trust::Identity;
use rustls_pki_types::UnixTime;
use tokio::sync::watch;

mod bearer;
pub mod followed;
pub mod link;
pub mod renewal;
pub mod store;
pub mod validate;

pub use followed::Followed;
pub use link::AgentLink;
pub use renewal::Schedule;
pub use store::Store;

use crate::egress::EgressState;
use crate::plane::Plane;
use followed::SessionError;
use link::Control;
use validate::{Valid, validate};

/// Delays between attempts to reach the agent.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));
/// How long the agent may take to answer one request.
const PATIENCE: Duration = Duration::from_secs(10);

/// What readiness waits for; dropped when it has come.
#[derive(Debug)]
pub struct Waits {
    /// For a first configuration.
    pub configuration: Option<Block>,
    /// For a first certificate.
    pub identity: Option<Block>,
}

/// Follows the agent.
#[derive(Debug)]
pub struct Source {
    name: String,
    agent: AgentLink,
    plane: Arc<Plane>,
    store: Store,
    egress: watch::Receiver<EgressState>,
    followed: watch::Sender<Followed>,
    waits: Waits,
    schedule: Schedule,
    outcome: Option<Outcome>,
}

/// What became of the last configuration received.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outcome {
    version: String,
    /// `false`: refused whole.
    applied: bool,
    problems: Vec<String>,
}

/// What a [`Source`] is made of.
#[derive(Debug)]
pub struct SourceParts {
    /// The gateway's name.
    pub name: String,
    /// The way to the agent.
    pub agent: AgentLink,
    /// What is to be configured.
    pub plane: Arc<Plane>,
    /// Our files.
    pub store: Store,
    /// What the egress made of it.
    pub egress: watch::Receiver<EgressState>,
    /// What readiness waits for.
    pub waits: Waits,
}

impl Source {
    /// Puts in force what is on disk, if anything is.
    pub fn start(parts: SourceParts) -> Self {
        let SourceParts { name, agent, plane, store, egress, waits } = parts;
        let mut source = Self {
            name,
            agent,
            plane,
            store,
            egress,
            followed: watch::Sender::new(Followed::default()),
            waits,
            schedule: Schedule::new(),
            outcome: None,
        };
        source.restore_identity();
        source.restore_configuration();
        source
    }

    /// Follows whether the agent is being followed.
    pub fn followed(&self) -> watch::Receiver<Followed> {
        self.followed.subscribe()
    }

    /// Follows the agent until the drain begins. The configuration stays in force during the drain.
    pub async fn run(mut self, drain: DrainWatcher) {
        let mut backoff = Backoff::new(RECONNECT.0, RECONNECT.1);
        loop {
            let Err(error) = tokio::select! {
                () = drain.wait() => return,
                ended = self.session(&mut backoff) => ended,
            };
            self.lost(&error);
            tokio::select! {
                () = drain.wait() => return,
                () = backoff.wait() => {}
            }
        }
    }

    /// Told once for each reason: attempts are many, and an agent may be away for long.
    fn lost(&self, error: &SessionError) {
        let now = Followed { connected: false, problem: Some(error.text()) };
        let before = self.followed.send_replace(now.clone());
        if before != now {
            tracing::warn!(error = now.problem, "agent not followed, keeping the last configuration");
        }
    }

    fn restore_identity(&mut self) {
        match self.store.load_identity() {
            Ok(Some(identity)) if identity.not_after() > std::time::SystemTime::now() => {
                tracing::info!(id = %identity.id(), "certificate restored");
                self.plane.identity.set(identity);
                self.waits.identity = None;
            }
            Ok(Some(_expired)) => tracing::warn!("certificate on disk has expired"),
            Ok(None) => {}
            Err(error) => tracing::warn!(error = %chain(&error), "certificate on disk is not used"),
        }
    }

    fn restore_configuration(&mut self) {
        let restored = match self.store.load_configuration() {
            Ok(Some(message)) => validate(message).map_err(|error| chain(&error).to_string()),
            Ok(None) => return,
            Err(error) => Err(chain(&error).to_string()),
        };
        match restored {
            Ok(valid) => self.put_in_force(valid),
            Err(error) => tracing::warn!(error, "configuration on disk is not used"),
        }
    }

    async fn session(&mut self, backoff: &mut Backoff) -> Result<std::convert::Infallible, SessionError> {
        let link = self.agent.open().await?;
        let mut client = link.control.clone();
        let ca_replaced = link.ca_replaced();
        tokio::pin!(ca_replaced);
        let request = wire::WatchRequest { gateway: self.name.clone() };
        let mut stream = client.watch(request).await.map_err(SessionError::Watch)?.into_inner();
        let mut reported = None;
        loop {
            let domain = self.plane.current().map(|applied| applied.config.trust_domain.clone());
            let look = self.look_at_certificate(domain.as_ref());
            tokio::select! {
                message = stream.message() => {
                    let message = message.map_err(SessionError::Watch)?.ok_or(SessionError::Ended)?;
                    backoff.reset();
                    if !self.followed.send_replace(Followed { connected: true, problem: None }).connected {
                        tracing::info!("following the agent");
                    }
                    self.take(message).await;
                }
                () = look => {}
                () = &mut ca_replaced => return Err(SessionError::CaReplaced),
                changed = self.egress.changed() => changed.map_err(|_| SessionError::Ended)?,
            }
            self.renew_if_due(&mut client).await;
            self.report(&mut client, &mut reported).await?;
        }
    }

    /// The certificate in use, if peers still believe it: the authority of our own domain may have been replaced.
    fn own_identity(&self, domain: &TrustDomain) -> Option<Arc<Identity>> {
        let bundles = self.plane.bundles.load();
        let believed = |identity: &Arc<Identity>| identity.verify(&bundles, UnixTime::now()).is_ok();
        self.plane.identity.get().filter(|identity| bundles.get(domain).is_none() || believed(identity))
    }

    /// Ends when the certificate must be looked at; never, before a configuration says whose it must be.
    fn look_at_certificate(&self, domain: Option<&TrustDomain>) -> impl Future<Output = ()> + use<> {
        let at = domain.map(|domain| self.schedule.next(self.own_identity(domain).as_deref(), domain));
        async move {
            match at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        }
    }

    async fn take(&mut self, message: wire::GatewayConfig) {
        let version = message.version.clone();
        let kept = message.clone();
        match validate(message) {
            Ok(mut valid) => {
                if let Err(error) = self.keep(kept).await {
                    valid.problems.push(format!("not written to disk: {}", chain(&error)));
                    tracing::error!(error = %chain(&error), "configuration not written to disk");
                }
                self.put_in_force(valid);
            }
            Err(error) => {
                self.plane.metrics.configuration(false);
                let problem = chain(&error).to_string();
                tracing::warn!(version, error = problem, "configuration refused, keeping the last");
                self.outcome = Some(Outcome { version, applied: false, problems: vec![problem] });
            }
        }
    }

    async fn keep(&self, message: wire::GatewayConfig) -> Result<(), FileError> {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || store.save_configuration(&message)).await {
            Ok(written) => written,
            // Only at the end of the process, or if the writer panicked, which the log has said.
            Err(_cancelled) => Ok(()),
        }
    }

    fn put_in_force(&mut self, valid: Valid) {
        let Valid { applied, bundles, problems } = valid;
        for problem in &problems {
            tracing::warn!(problem, "part of the configuration cannot be used");
        }
        self.outcome = Some(Outcome { version: applied.version.clone(), applied: true, problems });
        self.plane.apply(applied, bundles);
        self.plane.metrics.configuration(true);
        self.waits.configuration = None;
    }

    async fn renew_if_due(&mut self, client: &mut Control) {
        let Some(applied) = self.plane.current() else { return };
        let domain = &applied.config.trust_domain;
        if !self.schedule.is_due(self.own_identity(domain).as_deref(), domain) {
            return;
        }
        match self.renewed(client, domain).await {
            Ok(()) => self.schedule.succeeded(),
            Err(error) => {
                self.schedule.failed();
                tracing::warn!(error = %chain(&error), "certificate not renewed");
            }
        }
    }

    async fn renewed(
        &mut self,
        client: &mut Control,
        domain: &TrustDomain,
    ) -> Result<(), renewal::RenewalError> {
        let issued = renewal::issue(client, domain, &self.plane.bundles);
        let late = |_| renewal::RenewalError::Agent(tonic::Status::deadline_exceeded("no answer in time"));
        let identity = tokio::time::timeout(PATIENCE, issued).await.map_err(late)??;
        self.store.save_identity(&identity)?;
        tracing::info!(id = %identity.id(), "certificate issued");
        self.plane.identity.set(identity);
        self.waits.identity = None;
        Ok(())
    }

    /// Says what became of the last configuration, once the egress has followed it, and again when that changes.
    async fn report(
        &self,
        client: &mut Control,
        reported: &mut Option<(String, Vec<String>)>,
    ) -> Result<(), SessionError> {
        let Some(Outcome { version, applied, problems }) = self.outcome.clone() else { return Ok(()) };
        let mut problems = problems;
        {
            let egress = self.egress.borrow();
            if applied && egress.version.as_ref() != Some(&version) {
                return Ok(());
            }
            problems.extend(egress.problems());
        }
        let report = (version, problems);
        if reported.as_ref() == Some(&report) {
            return Ok(());
        }
        let (version, problems) = report.clone();
        let request = wire::ReportRequest { gateway: self.name.clone(), version, problems };
        // Bounded, so that an agent that is stuck here does not keep the next configuration waiting.
        let late = |_| tonic::Status::deadline_exceeded("no answer in time");
        let answered = tokio::time::timeout(PATIENCE, client.report(request)).await.map_err(late);
        answered.and_then(|answer| answer).map_err(SessionError::Report)?;
        *reported = Some(report);
        Ok(())
    }
}
