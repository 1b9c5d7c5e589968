//! What a live connection is for, and whether it still may be.

use east_west_gateway_route::decide::still_relayed;
use east_west_gateway_route::{RefusalReason, authorize};
use federation_model::data_plane::ServicePortId;
use federation_model::spiffe_id::SpiffeId;
use federation_model::trust_domain::TrustDomain;

use crate::applied::Applied;
use crate::metrics::Direction;

/// What a live connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// A caller whose mTLS is ended here.
    Terminated {
        /// What it calls.
        target: ServicePortId,
        /// Who it proved to be.
        caller: SpiffeId,
    },
    /// A call relayed by SNI.
    Relayed {
        /// What is called.
        target: ServicePortId,
    },
    /// A local client's call of an import.
    Outbound {
        /// What it calls.
        port: ServicePortId,
        /// Whose bundle vouched for the other end; `None` for an endpoint of this cluster.
        domain: Option<TrustDomain>,
    },
}

/// Why the gateway ends a live connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// A new configuration would refuse it.
    NoLongerAllowed(RefusalReason),
    /// The other end's trust domain is no longer believed.
    TrustWithdrawn,
    /// The import is gone.
    NoLongerImported,
    /// The gateway stops, and the drain has taken its time.
    Draining,
}

impl CloseReason {
    /// The word for it in metrics and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::NoLongerAllowed(reason) => match reason {
                RefusalReason::UnknownName => "unexported",
                RefusalReason::UnknownCallerDomain => "caller_left",
                _ => "no_longer_allowed",
            },
            Self::TrustWithdrawn => "trust_withdrawn",
            Self::NoLongerImported => "no_longer_imported",
            Self::Draining => "draining",
        }
    }
}

impl Purpose {
    /// Which way it goes.
    pub fn direction(&self) -> Direction {
        match self {
            Self::Terminated { .. } | Self::Relayed { .. } => Direction::Ingress,
            Self::Outbound { .. } => Direction::Egress,
        }
    }

    /// Whether it may go on under `applied`. Targets and endpoints that are merely no longer preferred or ready keep
    /// the connections that they have.
    pub fn judge(&self, applied: &Applied) -> Result<(), CloseReason> {
        match self {
            Self::Terminated { target, caller } => {
                trusted(applied, caller.trust_domain())?;
                authorize(&applied.config, target, caller).map(drop).map_err(CloseReason::NoLongerAllowed)
            }
            Self::Relayed { target } => {
                still_relayed(&applied.config, target).map_err(CloseReason::NoLongerAllowed)
            }
            Self::Outbound { port, domain } => {
                if !applied.config.egress.contains_key(port) {
                    return Err(CloseReason::NoLongerImported);
                }
                domain.as_ref().map_or(Ok(()), |domain| trusted(applied, domain))
            }
        }
    }
}

fn trusted(applied: &Applied, domain: &TrustDomain) -> Result<(), CloseReason> {
    if applied.trusts(domain) { Ok(()) } else { Err(CloseReason::TrustWithdrawn) }
}
