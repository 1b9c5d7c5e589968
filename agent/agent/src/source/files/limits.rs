//! Bounds of what is read from the directory. A file is trusted no more than a peer.

use std::time::Duration;

/// Largest file, in bytes.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// Most files; those after it, by name, are passed over and named.
pub const MAX_FILES: usize = 1_024;
/// Most documents in one file.
pub const MAX_DOCUMENTS: usize = 1_024;
/// Most scalars, sequences and mappings in one file, aliases replayed.
pub const MAX_NODES: usize = 250_000;
/// Deepest nesting in one document.
pub const MAX_DEPTH: usize = 64;
/// Most anchors, and most aliases, in one file.
pub const MAX_ANCHORS: usize = 256;
/// Most parser events that all aliases of one file may replay: what an anchor bomb multiplies.
pub const MAX_REPLAYED: usize = 20_000;
/// Most problems that one file may report.
pub const MAX_PROBLEMS_PER_FILE: usize = 100;
/// How often the directory is looked at without having been told to, in case an event was lost.
pub const POLL: Duration = Duration::from_secs(3);
/// How long a file that was renamed away keeps counting: some editors rename the old file to a backup before they
/// write the new one.
pub const RENAMED_AWAY: Duration = Duration::from_millis(500);
