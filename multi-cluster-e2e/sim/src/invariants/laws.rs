//! The laws of the catalogue hold in every state.

use federation_model::State;

use super::{Property, Violation};

/// A state that nobody had before.
pub fn state(state: &State) -> Result<(), Violation> {
    match state.violations().first() {
        None => Ok(()),
        Some(law) => Err(Violation::of(Property::Laws, format!("at {}: {law}", state.revision()))),
    }
}
