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
    /// The address and port.
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

/// Most problems of one report; the agent keeps no more.
const MAX_PROBLEMS: usize = 48;

impl EgressState {
    /// How many are served.
    pub fn listening(&self) -> usize {
        self.listeners.iter().filter(|listener| listener.state == ListenerState::Listening).count()
    }

    /// What the agent should hear: one sentence for each address that is not served, within a bound.
    pub fn problems(&self) -> Vec<String> {
        let failed = |listener: &ListenerStatus| match &listener.state {
            ListenerState::Listening => None,
            ListenerState::Failed(error) => {
                Some(format!("egress {}:{}: {error}", listener.target.service, listener.target.port))
            }
        };
        let mut all = self.listeners.iter().filter_map(failed);
        let mut told: Vec<String> = all.by_ref().take(MAX_PROBLEMS).collect();
        let more = all.count();
        if more > 0 {
            told.push(format!("egress: {more} more listeners failed, see /status of the gateway"));
        }
        told
    }
}
