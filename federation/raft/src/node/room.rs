//! Whether there is room on the disk: looked at, so that it is known before a write fails. A write that fails is the end of
//! the server; one that is not begun is not.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::membership::Manager;
use super::{Leadership, MembershipError};
use crate::peer::wire::{Manage, Unmanaged};
use crate::types::Raft;

/// How often the disk is looked at.
const LOOK: Duration = Duration::from_millis(500);

type Measure = dyn Fn() -> io::Result<u64> + Send + Sync;

/// How many bytes a server may still write, as somebody measures it, and how many there must be. Cheap to clone.
#[derive(Clone)]
pub struct Space {
    measure: Arc<Measure>,
    least: u64,
}

impl Space {
    /// What the file system of `dir` has left for this process. With less than `least` bytes, the server stops writing.
    #[must_use]
    pub fn of(dir: &Path, least: u64) -> Self {
        let dir = dir.to_owned();
        Self::measured_by(least, move || {
            let found = nix::sys::statvfs::statvfs(&dir)?;
            Ok(found.blocks_available().saturating_mul(found.fragment_size()))
        })
    }

    /// What `measure` says, which must not block.
    pub fn measured_by(least: u64, measure: impl Fn() -> io::Result<u64> + Send + Sync + 'static) -> Self {
        Self { measure: Arc::new(measure), least }
    }

    fn free(&self) -> io::Result<u64> {
        (self.measure)()
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Space").finish_non_exhaustive()
    }
}

/// What is known of the room on a server's disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskRoom {
    /// Bytes that are free; none before the first look.
    pub free: Option<u64>,
    /// Whether that is too little: then the server neither leads nor takes entries, and serves reads.
    pub low: bool,
}

impl DiskRoom {
    /// After a look. A server without room has it again only when a quarter more than `least` is free, so that it does
    /// not come and go with every entry.
    fn seen(self, free: u64, least: u64) -> Self {
        let enough = if self.low { least.saturating_add(least / 4) } else { least };
        Self { free: Some(free), low: free < enough }
    }
}

/// Looks for as long as the server runs, and acts on what it sees: a leader without room hands over.
pub(super) async fn run(
    space: Space,
    room: watch::Sender<DiskRoom>,
    raft: Raft,
    manager: Manager,
    leadership: watch::Receiver<Leadership>,
) {
    let (mut told, mut blind, least) = (None, false, space.least);
    loop {
        let before = *room.borrow();
        let looked = space.free();
        if let Err(error) = &looked
            && !blind
        {
            tracing::warn!(%error, "free space cannot be measured: a full disk will not be noticed");
        }
        blind = looked.is_err();
        let now = looked.map_or(before, |free| before.seen(free, least));
        if now.low != before.low {
            raft.runtime_config().elect(!now.low);
            let free = now.free.unwrap_or(0);
            if now.low {
                tracing::error!(
                    free,
                    least,
                    "no room on the disk: this server takes no writes until there is"
                );
            } else {
                tracing::info!(free, "there is room on the disk again");
            }
        }
        room.send_if_modified(|present| std::mem::replace(present, now) != now);
        if now.low && leadership.borrow().is_leader() {
            let failed = manager.here(Manage::Transfer { to: None }).await.err();
            tell(&mut told, failed);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Logs why nobody else leads when that changes, and not twice a second.
fn tell(told: &mut Option<MembershipError>, failed: Option<Unmanaged>) {
    let failed = match failed {
        Some(Unmanaged::Refused(error)) => Some(error),
        Some(Unmanaged::NotLeader) | None => None,
    };
    if *told != failed {
        if let Some(error) = &failed {
            tracing::warn!(%error, "this server has no room, and leads: writes are refused");
        }
        *told = failed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_low_below_the_least_and_enough_well_above_it() {
        let mut room = DiskRoom::default();
        for (free, low) in
            [(100, false), (99, true), (100, true), (124, true), (125, false), (100, false), (0, true)]
        {
            room = room.seen(free, 100);
            assert_eq!(room, DiskRoom { free: Some(free), low });
        }
    }

    #[test]
    fn a_directory_has_space() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Space::of(dir.path(), 0).free().unwrap() > 0);
        assert!(Space::of(&dir.path().join("absent"), 0).free().is_err());
    }
}
