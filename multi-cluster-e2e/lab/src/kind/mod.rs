//! The tour of the kind lab: the promises of `check`, tried in real pods of real clusters, and what only they can show.
//!
//! Owns: finding the lab that `deploy/kind/up.sh` made, `kubectl exec` in its pods, and the steps. Must never: create or
//! delete a cluster, or leave one otherwise than it found it when every step passed. Calls are made by the `curl`, `dig`
//! and `openssl` of the pod `caller`, which has no sidecar; where an API server is down on purpose, in that pod's
//! namespaces by way of its node.
//!
//! Reading order: `place` (which lab) → `command` (child processes) → `caller` (calls from pods) → `node` (killing
//! things) → `stage` (what steps share) → `steps`.
//!
//! Tests: parsers beside each module; all of it in `deploy/kind/test.sh`, on three clusters.

mod caller;
mod command;
mod node;
mod place;
mod stage;
mod steps;

use std::path::Path;

use crate::check::Report;
use place::KindLab;
use stage::Stage;

/// Makes the tour of the lab in `state` (the `.kind` of `deploy/kind/up.sh`); `tell` hears of every step. Gives back
/// whether all passed.
///
/// # Errors
/// If there is no such lab, or `tell` fails.
pub async fn run(state: &Path, tell: impl Fn(&Report) -> anyhow::Result<()>) -> anyhow::Result<bool> {
    let stage = Stage::new(KindLab::read(state)?);
    stage.require_clusters()?;
    for step in steps::ALL {
        let outcome = (step.run)(&stage).await;
        let ok = outcome.is_ok();
        let observed = outcome.unwrap_or_else(|error| format!("{error:#}"));
        tell(&Report { step: step.name, ok, observed })?;
        if !ok {
            return Ok(false);
        }
    }
    Ok(true)
}
