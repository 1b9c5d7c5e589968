//! The configuration that the gateways and the Envoys are told, and its changes.

use std::sync::Arc;

use federation_model::data_plane::GatewayConfig;
use tokio::sync::watch;

/// A configuration and its place among those before it.
#[derive(Debug, Clone)]
pub struct Numbered {
    /// Grows by one with each change; the first is 1. Not kept over restarts.
    pub sequence: u64,
    /// The configuration.
    pub config: Arc<GatewayConfig>,
}

/// Where the plan's result goes in. Dropping it ends every stream.
#[derive(Debug)]
pub struct ConfigSender(watch::Sender<Option<Numbered>>);

/// Where it comes out: nothing before the first.
#[derive(Debug, Clone)]
pub struct ConfigReceiver(watch::Receiver<Option<Numbered>>);

/// A channel without a configuration.
pub fn channel() -> (ConfigSender, ConfigReceiver) {
    let (sender, receiver) = watch::channel(None);
    (ConfigSender(sender), ConfigReceiver(receiver))
}

impl ConfigSender {
    /// Sets the configuration and returns its sequence number. One that is equal to the present one changes nothing.
    pub fn set(&self, config: GatewayConfig) -> u64 {
        let mut sequence = 1;
        self.0.send_if_modified(|present| {
            if let Some(present) = present {
                sequence = present.sequence;
                if *present.config == config {
                    return false;
                }
                sequence += 1;
            }
            *present = Some(Numbered { sequence, config: Arc::new(config) });
            true
        });
        sequence
    }
}

impl ConfigReceiver {
    /// The configuration of now, which counts as seen.
    pub fn seen(&mut self) -> Option<Numbered> {
        self.0.borrow_and_update().clone()
    }

    /// Waits for the first configuration; none if there will be none.
    pub async fn first(&mut self) -> Option<Numbered> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// Waits until there is a configuration that was not seen; false if there will be none.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}
