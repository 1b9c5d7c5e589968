//! What holds in every history of a correct federation, one property a file.
//!
//! [`each_slot_moves_forward`] holds the most: no acknowledged write is missing, nothing is undone, and what a watcher
//! has at a revision is what the acknowledged writes allow there. The others are easier to say by themselves.

pub mod each_slot_moves_forward;
pub mod equal_revisions_agree;
pub mod revisions_follow_time;
pub mod scope_is_kept;
pub mod settled_means_complete;
pub mod vips_stay;
pub mod watchers_never_go_back;
