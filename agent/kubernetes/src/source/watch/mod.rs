//! One watch per kind: list, then watch from there, for ever.
//!
//! What kube-rs has for this was not enough: it repeats a 410 that comes as an HTTP status without listing, drops the
//! header `Retry-After`, and hides for minutes what fails. The rules here, in the order in which they matter:
//!
//! - A list counts when it is whole. Until then, whatever happens, what was known stays known.
//! - Only 410 (or a resource that disappears) makes us list again. Any other end of a watch resumes at the last version.
//! - A streaming list (KEP-3157) is asked for first; API servers that cannot are given a paged list.
//! - Failures are repeated with backoff and jitter, or when the server wishes; 403 every 30 seconds.
//! - Every wait on the other side has an end, and every line a greatest length.
//!
//! Reading order: [`lines`] → [`request`] → [`event`] → [`list`] → [`watcher`].

mod event;
mod failure;
mod limits;
mod lines;
mod list;
mod request;
mod watcher;

pub(super) use request::get;
pub(super) use watcher::{Route, Watcher};
