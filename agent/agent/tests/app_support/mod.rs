//! A whole agent in this process.

use agent_agent::app::{Addresses, Agent};
use agent_agent::config::Config;
use agent_agent::local::status::StatusPage;
use federation_kit::daemon::Process;
use federation_kit::drain::{DrainTrigger, Drained};
use federation_kit::exit::Failure;
use federation_kit::testing::eventually;
use serde_json::Value;

use crate::support::LONG;

/// It, ready.
pub(crate) struct Running {
    pub(crate) status: StatusPage,
    pub(crate) addresses: Addresses,
    trigger: DrainTrigger,
    process: Process,
}

impl Running {
    /// Starts, and waits until it is ready.
    pub(crate) async fn start(config: Config) -> Result<Self, Failure> {
        let (trigger, process) = Process::new("agent");
        let started = async {
            let agent = Agent::bind(config, &process).await?;
            let (status, addresses) = (agent.status(), agent.addresses());
            agent.run(&process).await?;
            process.readiness.ready().await;
            Ok((status, addresses))
        };
        match started.await {
            Ok((status, addresses)) => Ok(Self { status, addresses, trigger, process }),
            Err(failure) => {
                let tasks = process.tasks.clone();
                drop(process);
                trigger.drain(LONG).await;
                tasks.stop(LONG).await;
                Err(failure)
            }
        }
    }

    pub(crate) async fn until(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let seen = eventually(LONG, async || Some(self.status.render()).filter(|page| is(page))).await;
        seen.unwrap_or_else(|_| panic!("never: {what}: {:#}", self.status.render()))
    }

    pub(crate) async fn stop(self) {
        let tasks = self.process.tasks.clone();
        drop(self.process);
        assert_eq!(self.trigger.drain(LONG).await, Drained::Complete);
        assert_eq!(tasks.stop(LONG).await, 0, "every task ends by itself");
    }
}
