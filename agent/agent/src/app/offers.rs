//! How far each offer of this cluster is, for the controller that tells the owners of the ServiceExports.

use std::collections::BTreeMap;
use std::sync::Arc;

use agent_plan::mcs::input::Offer;
use federation_client::{ItemState, PublishStatus};
use federation_kit::drain::DrainWatcher;
use federation_model::ServiceId;
use tokio::sync::watch;

/// Offers by service.
pub(super) type Offers = Arc<BTreeMap<ServiceId, Offer>>;

/// Passes every answer on as it arrives, until the drain.
pub(super) async fn forward(
    mut published: watch::Receiver<PublishStatus>,
    offers: watch::Sender<Offers>,
    drain: DrainWatcher,
) {
    loop {
        let now = {
            let status = published.borrow_and_update();
            // Until the conversation has begun, what is known from an earlier life counts.
            let begun = status.synced.is_some() || !status.exports.is_empty();
            if begun { follow(&offers.borrow(), &status.exports) } else { BTreeMap::clone(&offers.borrow()) }
        };
        offers.send_if_modified(|last| {
            let changed = **last != now;
            if changed {
                *last = Arc::new(now);
            }
            changed
        });
        tokio::select! {
            changed = published.changed() => if changed.is_err() { return },
            () = drain.wait() => return,
        }
    }
}

/// An offer that is committed stays so while a later state of it is on its way: every change of an endpoint is one, and
/// its export is no less exported meanwhile.
fn follow(
    last: &BTreeMap<ServiceId, Offer>,
    now: &BTreeMap<ServiceId, ItemState>,
) -> BTreeMap<ServiceId, Offer> {
    let offer = |id: &ServiceId, state: &ItemState| match state {
        ItemState::Pending if last.get(id) == Some(&Offer::Committed) => Offer::Committed,
        ItemState::Pending => Offer::Pending,
        ItemState::Committed { .. } => Offer::Committed,
        ItemState::Refused { reason, message, .. } => Offer::Refused(format!("{reason}: {message}")),
    };
    now.iter().map(|(id, state)| (id.clone(), offer(id, state))).collect()
}

#[cfg(test)]
mod tests {
    use federation_model::{Generation, Revision};

    use super::*;

    fn states(state: ItemState) -> BTreeMap<ServiceId, ItemState> {
        BTreeMap::from([("demo/echo".parse().unwrap(), state)])
    }

    fn refused() -> ItemState {
        ItemState::Refused {
            generation: Generation(1),
            reason: "too_many_exports".to_owned(),
            message: "enough".to_owned(),
        }
    }

    #[test]
    fn an_offer_is_exported_until_it_is_refused_or_gone() {
        let committed = ItemState::Committed { generation: Generation(1), revision: Revision(7) };
        let echo: ServiceId = "demo/echo".parse().unwrap();
        let mut offers = BTreeMap::new();
        for (state, expected) in [
            (ItemState::Pending, Offer::Pending),
            (committed.clone(), Offer::Committed),
            (ItemState::Pending, Offer::Committed),
            (refused(), Offer::Refused("too_many_exports: enough".to_owned())),
            (ItemState::Pending, Offer::Pending),
            (committed, Offer::Committed),
        ] {
            offers = follow(&offers, &states(state));
            assert_eq!(offers.get(&echo), Some(&expected));
        }
        assert!(follow(&offers, &BTreeMap::new()).is_empty());
    }

    #[tokio::test]
    async fn a_watch_tells_every_answer_and_nothing_else() {
        let (status, published) = watch::channel(PublishStatus::default());
        let (offers, mut seen) = watch::channel(Offers::default());
        let (trigger, drain) = federation_kit::drain::channel();
        let task = tokio::spawn(forward(published, offers, drain));
        status.send_modify(|status| status.exports = states(refused()));
        let told = seen.wait_for(|offers| !offers.is_empty()).await.unwrap().clone();
        assert_eq!(told.len(), 1);
        status.send_modify(|status| status.problem = Some("no server".to_owned()));
        trigger.drain(std::time::Duration::from_secs(5)).await;
        task.await.unwrap();
        assert!(!seen.has_changed().unwrap_or(false));
    }
}
