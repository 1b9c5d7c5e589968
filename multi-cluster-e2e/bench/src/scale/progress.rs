//! Waiting that says how it goes, and that ends.

use std::future::Future;
use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

/// How often it is said.
const EVERY: Duration = Duration::from_secs(5);
/// How long nothing may move.
const STILL: Duration = Duration::from_secs(60);
/// How long it may take in all.
const LONGEST: Duration = Duration::from_secs(900);

/// How far it is.
#[derive(Debug)]
pub(super) struct Standing {
    /// How much there is.
    pub(super) have: usize,
    /// What somebody says who lacks something.
    pub(super) slow: String,
}

/// Waits for `all` of `of`, and says from time to time what `look` sees.
///
/// # Errors
/// Those of `all`; and when nothing moves any more, or it takes too long: with what was seen last.
pub(super) async fn watched(
    what: &str,
    of: usize,
    all: impl Future<Output = anyhow::Result<()>>,
    look: impl Fn() -> Standing,
) -> anyhow::Result<()> {
    let narrate = async {
        let begun = Instant::now();
        let (mut moved, mut before) = (begun, None);
        loop {
            sleep(EVERY).await;
            let Standing { have, slow } = look();
            eprintln!("  {have} of {of} {what} after {} s", begun.elapsed().as_secs());
            if before != Some(have) {
                (moved, before) = (Instant::now(), Some(have));
            }
            let (still, took) = (moved.elapsed(), begun.elapsed());
            if still > STILL || took > LONGEST {
                let (still, took) = (still.as_secs(), took.as_secs());
                bail!("{have} of {of} {what} after {took} s, and no more for {still} s: {slow}");
            }
        }
    };
    tokio::select! {
        done = all => done,
        stuck = narrate => stuck,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_does_not_move_ends_with_what_was_seen_last() {
        let look = || Standing { have: 3, slow: "c0001 sees nothing".to_owned() };
        let stuck = watched("pieces", 5, std::future::pending(), look).await.unwrap_err().to_string();
        assert!(stuck.starts_with("3 of 5 pieces") && stuck.ends_with("c0001 sees nothing"), "{stuck}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_moves_is_waited_for() {
        let all = async {
            sleep(STILL * 3).await;
            Ok(())
        };
        let begun = Instant::now();
        let look =
            || Standing { have: usize::try_from(begun.elapsed().as_secs()).unwrap(), slow: String::new() };
        watched("pieces", 5, all, look).await.unwrap();
    }
}
