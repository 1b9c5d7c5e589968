//! A controller that runs against a fake API server.

use std::sync::Arc;
use std::time::Duration;

use agent_plan::mcs::{Input, desired, diff};
use federation_kit::drain::{self, DrainTrigger};
use federation_kit::testing::eventually;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::world;
use crate::apply::fake::{Fake, key};
use crate::apply::{ApplyStatus, Controller};

/// Longer than anything in here takes. It is paused time.
pub(super) const LONG: Duration = Duration::from_secs(600);

pub(super) struct Rig {
    pub(super) fake: Fake,
    pub(super) input: watch::Sender<Arc<Input>>,
    pub(super) status: watch::Receiver<Arc<ApplyStatus>>,
    pub(super) trigger: Option<DrainTrigger>,
    pub(super) task: JoinHandle<()>,
    registry: Registry,
}

impl Rig {
    /// Runs on a fake with the namespace `demo`.
    pub(super) fn new(services: usize) -> Self {
        let fake = Fake::new();
        fake.edit(|store| store.put(&key("namespaces", "demo"), json!({})));
        Self::on(fake, services)
    }

    pub(super) fn on(fake: Fake, services: usize) -> Self {
        let (input, inputs) = watch::channel(Arc::new(world::input(services, 80)));
        let mut registry = Registry::default();
        let controller = Controller::new(fake.client(), fake.observed(), inputs, &mut registry);
        let status = controller.status();
        let (trigger, watcher) = drain::channel();
        let task = tokio::spawn(controller.run(watcher));
        Self { fake, input, status, trigger: Some(trigger), task, registry }
    }

    /// Waits until nothing differs and nothing is under way.
    pub(super) async fn settled(&self) {
        let settled =
            eventually(LONG, async || self.left() == 0 && self.status.borrow().in_flight == 0).await;
        assert!(settled.is_ok(), "{} left: {:#?}", self.left(), self.status.borrow());
    }

    /// How many actions are left, by what the fake holds.
    pub(super) fn left(&self) -> usize {
        let observed = self.fake.edit(|store| store.observe());
        diff(&desired(&self.input.borrow(), &observed), &observed).len()
    }

    pub(super) fn status(&self) -> Arc<ApplyStatus> {
        Arc::clone(&self.status.borrow())
    }

    /// Waits until the status is so.
    pub(super) async fn until(&self, so: impl Fn(&ApplyStatus) -> bool) {
        let seen = eventually(LONG, async || so(&self.status.borrow())).await;
        assert!(seen.is_ok(), "{:#?}", self.status.borrow());
    }

    pub(super) fn metrics(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        text
    }
}
