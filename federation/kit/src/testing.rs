//! For tests: waiting until something is so, instead of sleeping and hoping.

use std::time::Duration;

use tokio::time::Instant;

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(10);

/// What a condition answers: `bool`, or `Option<T>` for a condition that yields what it saw.
pub trait Seen {
    /// What is handed to the test once it is so.
    type Value;
    /// `Some` once it is so.
    fn seen(self) -> Option<Self::Value>;
}

impl Seen for bool {
    type Value = ();
    fn seen(self) -> Option<()> {
        self.then_some(())
    }
}

impl<T> Seen for Option<T> {
    type Value = T;
    fn seen(self) -> Self {
        self
    }
}

/// It was not so within the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was not so within {deadline:?}, looked at {looks} times")]
pub struct NotInTime {
    deadline: Duration,
    looks: u32,
}

/// Looks at `condition` at once and then every 10 ms until it is so. The deadline only bounds how long a broken
/// test hangs; it must be generous. `unwrap()` the result, so that the panic names the line of the test.
///
/// # Errors
/// [`NotInTime`] when the deadline passes first.
pub async fn eventually<S: Seen>(
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> S,
) -> Result<S::Value, NotInTime> {
    let end = Instant::now() + deadline;
    let mut looks = 0_u32;
    loop {
        looks = looks.saturating_add(1);
        if let Some(value) = condition().await.seen() {
            return Ok(value);
        }
        if Instant::now() >= end {
            return Err(NotInTime { deadline, looks });
        }
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn yields_what_was_seen_or_gives_up() {
        let mut count = 0;
        let seen = eventually(Duration::from_secs(1), async || {
            count += 1;
            (count > 3).then_some(count)
        });
        assert_eq!(seen.await, Ok(4));
        assert!(eventually(Duration::from_millis(50), || async { false }).await.is_err());
    }
}
