//! The MCS controller's hands: what `agent_plan::mcs` decides is written to the API server.
//!
//! Owns: when a write is made, what its answer means, and what to do when it fails. Must never: decide what an object
//! says (that is `agent_plan::mcs`), write what does not carry our label, write when nothing has changed, or make one write
//! wait because another one fails.
//!
//! It wakes when the watches or the input say something new, works out the whole difference, and writes it:
//! [`AT_ONCE`](schedule::AT_ONCE) writes at a time, one for an object. Nothing waits for a timer but what failed.
//!
//! | the API server says | then |
//! |---|---|
//! | done | counts as observed until the watch has it ([`view`]) |
//! | 409 | again, from what is known by then |
//! | 429, 503 | that object waits as long as it says, and a little longer |
//! | other 5xx, nothing | that object waits, from 0.1 s up to 30 s |
//! | 403 by RBAC | that kind of write waits 30 s; `/status` names the rule |
//! | 403, namespace terminating; 404 of an object | dropped: the watch will say so too |
//! | 404 of a kind | that kind waits until the API server knows it |
//! | 422 and other 4xx | not again until the content is another; `/status` and an Event say why |
//! | done, the same for the sixth time in a minute | a fight: once a minute, and an Event names the other writer |
//!
//! Reading order: `controller` → `view` (with `held`) → `schedule` (with `target`, `hold`, `fights`) → `request` →
//! `answer` → `notes` and `recorder` (Events), `metrics`, `status`.
//!
//! Tests: tables beside each file; `tests/` drives the whole against `fake`, an API server in memory that can be told to
//! refuse, fail and hang; stories on a real one are in `multi-cluster-e2e`.

mod answer;
mod controller;
mod fights;
mod held;
mod hold;
mod metrics;
mod notes;
mod recorder;
mod request;
mod schedule;
mod status;
mod target;
mod view;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;

pub use controller::Controller;
pub use status::{ApplyStatus, Failing, Kind, Part, Paused, Why};

/// The field manager of every write.
pub(crate) const MANAGER: &str = agent_plan::mcs::names::FIELD_MANAGER;
