//! The judgement of one caller, made inside its handshake.

use std::sync::{Arc, OnceLock};

use east_west_gateway_route::{RefusalReason, authorize};
use federation_model::data_plane::ServicePortId;
use federation_model::spiffe_id::SpiffeId;
use federation_trust::bundle_set::AnchorId;
use federation_trust::{Authorize, NotAuthorized};

use crate::applied::Applied;

/// What a caller will be told once it has proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// That depends on who it is.
    Ask(ServicePortId),
    /// No, whoever it is.
    Refuse(RefusalReason),
}

/// Lives as long as one handshake. rustls asks it after the chain has been verified against the bundle of the
/// caller's own trust domain, so a foreign caller never gets this far, whatever it asked for.
#[derive(Debug)]
pub struct Gatekeeper {
    applied: Arc<Applied>,
    verdict: Verdict,
    /// What was decided: rustls keeps only the alert.
    outcome: OnceLock<Result<SpiffeId, RefusalReason>>,
    anchor: OnceLock<AnchorId>,
}

impl Gatekeeper {
    /// Judges by `applied`, whatever comes after it during the handshake; the tracker judges once more.
    pub fn new(applied: Arc<Applied>, verdict: Verdict) -> Self {
        Self { applied, verdict, outcome: OnceLock::new(), anchor: OnceLock::new() }
    }

    /// Who was let in, or why not. `None` if the caller never got as far as being asked.
    pub fn outcome(&self) -> Option<&Result<SpiffeId, RefusalReason>> {
        self.outcome.get()
    }

    /// Which authority vouched for the caller, if it got as far as that.
    pub fn anchor(&self) -> Option<AnchorId> {
        self.anchor.get().copied()
    }

    fn judge(&self, caller: &SpiffeId) -> Result<SpiffeId, RefusalReason> {
        match &self.verdict {
            Verdict::Refuse(reason) => Err(*reason),
            Verdict::Ask(target) => {
                authorize(&self.applied.config, target, caller).map(|_route| caller.clone())
            }
        }
    }
}

impl Authorize for Gatekeeper {
    fn vouched_by(&self, anchor: AnchorId) {
        // One handshake has one caller.
        let _ = self.anchor.set(anchor);
    }

    fn authorize(&self, caller: &SpiffeId) -> Result<(), NotAuthorized> {
        match self.outcome.get_or_init(|| self.judge(caller)) {
            Ok(admitted) if admitted == caller => Ok(()),
            Ok(_) => Err(NotAuthorized { id: caller.clone(), reason: "another caller was judged" }),
            Err(reason) => Err(NotAuthorized { id: caller.clone(), reason: reason.label() }),
        }
    }
}
