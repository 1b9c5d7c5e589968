//! A VIP belongs to one service, for ever: it never moves, and nobody else ever gets it.

use federation_model::State;

use super::{Property, Violation};
use crate::oracle::History;

/// A state that nobody had before.
pub fn state(history: &mut History, state: &State) -> Result<(), Violation> {
    let at = state.revision();
    for (service, vip) in state.vips() {
        match history.vips.get(service) {
            Some(before) if before == vip => {}
            Some(before) => {
                let what = format!("the VIP of {service} moved from {} to {} at {at}", before.v4, vip.v4);
                return Err(Violation::of(Property::Vips, what));
            }
            None => {
                let taken = history.vips.iter().find(|(_, other)| other.v4 == vip.v4 || other.v6 == vip.v6);
                if let Some((owner, _)) = taken {
                    let what = format!("{service} was given {} at {at}, which is the VIP of {owner}", vip.v4);
                    return Err(Violation::of(Property::Vips, what));
                }
                history.vips.insert(service.clone(), *vip);
            }
        }
    }
    Ok(())
}
