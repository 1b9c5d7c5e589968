//! What listens where, for reports and status.

use std::net::SocketAddr;

use federation_model::data_plane::ServicePortId;

/// All egress listeners at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EgressState {
    /// The configuration that they follow; `None` before the first.
    pub version: Option<String>,
    /// One for each wanted address.
    pub listeners: Vec<ListenerStatus>,
}

/// One wanted address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerStatus {
    /// The VIP and port.
    pub listen: SocketAddr,
    /// What is served there.
    pub target: ServicePortId,
    /// Whether it is.
    pub state: ListenerState,
}

/// Whether an address is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerState {
    /// Yes.
    Listening,
    /// No, for this reason; it is tried again.
    Failed(String),
}

impl EgressState {
    /// What the agent should hear: one sentence for each address that is not served.
    pub fn problems(&self) -> impl Iterator<Item = String> {
        self.listeners.iter().filter_map(|listener| match &listener.state {
            ListenerState::Listening => None,
            ListenerState::Failed(error) => {
                Some(format!("egress {}:{}: {error}", listener.target.service, listener.target.port))
            }
        })
    }
}
