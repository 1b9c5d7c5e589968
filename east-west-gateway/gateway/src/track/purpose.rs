//! What a live connection is for, and whether it still may be.

use east_west_gateway_route::decide::still_relayed;
use east_west_gateway_route::{RefusalReason, authorize};
use federation_model::data_plane::ServicePortId;
use federation_model::trust_domain::TrustDomain;
use federation_trust::BundleSet;
use federation_trust::bundle_set::AnchorId;

use crate::applied::Applied;
use crate::metrics::Direction;
use crate::tls::Caller;

/// What a live connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// A caller whose mTLS is ended here.
    Terminated {
        /// What it calls.
        target: ServicePortId,
        /// Who it proved to be, and by whom.
        caller: Caller,
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
        /// Who vouched for the other end; `None` for an endpoint of this cluster.
        voucher: Option<Voucher>,
    },
}

/// Who vouched for the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voucher {
    /// Its trust domain.
    pub domain: TrustDomain,
    /// The authority of that domain.
    pub anchor: AnchorId,
}

/// Why the gateway ends a live connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// A new configuration would refuse it.
    NoLongerAllowed(RefusalReason),
    /// Whoever vouched for the other end is no longer believed: the bundle of its trust domain is gone or empty, or has
    /// other authorities now.
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
    pub fn judge(&self, applied: &Applied, bundles: &BundleSet) -> Result<(), CloseReason> {
        let trusted = |domain: &TrustDomain, anchor: AnchorId| {
            if bundles.has(domain, anchor) { Ok(()) } else { Err(CloseReason::TrustWithdrawn) }
        };
        match self {
            Self::Terminated { target, caller } => {
                trusted(caller.id.trust_domain(), caller.anchor)?;
                authorize(&applied.config, target, &caller.id).map(drop).map_err(CloseReason::NoLongerAllowed)
            }
            Self::Relayed { target } => {
                still_relayed(&applied.config, target).map_err(CloseReason::NoLongerAllowed)
            }
            Self::Outbound { port, voucher } => {
                if !applied.config.egress.contains_key(port) {
                    return Err(CloseReason::NoLongerImported);
                }
                voucher.as_ref().map_or(Ok(()), |voucher| trusted(&voucher.domain, voucher.anchor))
            }
        }
    }
}
