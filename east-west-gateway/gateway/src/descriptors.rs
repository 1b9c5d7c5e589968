//! How many files this process may have open, which is how many sockets.
//!
//! Container runtimes start processes with a soft limit of 1,024 for the sake of programs that use `select`, and a far
//! higher hard limit for those that ask. The gateway asks.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What most systems give when they are not asked; used where the limit cannot be read.
const USUAL: u64 = 1_024;

/// Raises the limit as far as the process may, and returns it. What cannot be raised stays, and is said.
pub fn raise() -> u64 {
    let (soft, hard) = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok(limits) => limits,
        Err(error) => {
            tracing::warn!(%error, "limit of open files cannot be read");
            return USUAL;
        }
    };
    if soft >= hard {
        return soft;
    }
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => {
            tracing::info!(from = soft, to = hard, "limit of open files raised");
            hard
        }
        Err(error) => {
            tracing::warn!(%error, soft, hard, "limit of open files cannot be raised");
            soft
        }
    }
}

/// The most egress listeners under a limit: half, so that listeners never take the sockets that connections need.
pub fn most_listeners(limit: u64) -> usize {
    usize::try_from(limit / 2).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_raised_stays_so() {
        let limit = raise();
        assert!(limit > 0);
        assert_eq!(raise(), limit);
        assert_eq!((most_listeners(1_024), most_listeners(0)), (512, 0));
    }
}
