//! The leader's chore: expiring leases when they are due.

use std::sync::Arc;
use std::time::Duration;

use federation_model::cluster::LEASE_MILLIS;
use federation_model::{Command, State};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Leadership;
use super::fair::Origin;
use super::propose::{Proposer, Route};
use super::time::Time;
use crate::store::catalogue::Catalogue;

/// How often to look again when no lease is held: a registration grants one for far longer than this.
const IDLE: Duration = Duration::from_secs(5);
/// How long the proposal may take; the next round tries again.
const LIMIT: Duration = Duration::from_secs(5);

/// Expires due leases for as long as this server leads, and never within a lease's length of becoming leader: agents
/// could not renew while there was none.
pub(crate) async fn run(
    catalogue: Arc<Catalogue>,
    proposer: Proposer,
    mut leadership: watch::Receiver<Leadership>,
    time: Time,
) {
    loop {
        if leadership.wait_for(Leadership::is_leader).await.is_err() {
            return;
        }
        let grace_ends = Instant::now() + Duration::from_millis(LEASE_MILLIS);
        tracing::info!("this server leads");
        tokio::select! {
            lost = leadership.wait_for(|seen| !seen.is_leader()) => {
                if lost.is_err() {
                    return;
                }
                tracing::info!("this server no longer leads");
            }
            () = lead(&catalogue, &proposer, &time, grace_ends) => {}
        }
    }
}

async fn lead(catalogue: &Catalogue, proposer: &Proposer, time: &Time, grace_ends: Instant) {
    tokio::time::sleep_until(grace_ends).await;
    loop {
        let wait = match catalogue.read(|state, _| State::next_lease_due(state)) {
            Some(due) => Duration::from_millis(due.since(time.now())),
            None => IDLE,
        };
        if wait.is_zero() {
            let committed =
                proposer.propose(Origin::Others, vec![Command::ExpireLeases], Route::LeaderOnly, LIMIT).await;
            if let Err(error) = committed {
                tracing::warn!(%error, "leases could not be expired");
                tokio::time::sleep(LIMIT).await;
            }
        } else {
            // Renewals meanwhile only move the due time away, and a new lease is due later than any wait from here.
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
    }
}
