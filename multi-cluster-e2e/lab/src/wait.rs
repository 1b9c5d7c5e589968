//! Waiting for a condition with a deadline: the only way in which anything here waits.

use std::time::Duration;

use anyhow::bail;
use tokio::time::Instant;

/// Pause between two looks. Short against everything that is waited for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// What one look saw.
#[derive(Debug)]
pub enum Seen<T> {
    /// What was waited for.
    Done(T),
    /// Not that; in words, for the error at the deadline.
    NotYet(String),
}

impl<T> Seen<T> {
    /// `Done` if the look succeeded, and otherwise the error's text.
    pub fn from_result(look: anyhow::Result<T>) -> Self {
        match look {
            Ok(value) => Self::Done(value),
            Err(error) => Self::NotYet(format!("{error:#}")),
        }
    }
}

/// Looks again and again until the condition holds; an `Err` of a look ends the wait at once. Gives back what was
/// seen and how long it took.
pub async fn until<T, F, Fut>(what: &str, within: Duration, mut look: F) -> anyhow::Result<(T, Duration)>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<Seen<T>>>,
{
    let began = Instant::now();
    let mut last = "nothing".to_owned();
    loop {
        let left = within.saturating_sub(began.elapsed());
        if left.is_zero() {
            bail!("waited {} ms for {what}; last seen: {last}", within.as_millis());
        }
        match tokio::time::timeout(left, look()).await {
            Ok(Ok(Seen::Done(value))) => return Ok((value, began.elapsed())),
            Ok(Ok(Seen::NotYet(saw))) => last = saw,
            Ok(Err(error)) => return Err(error.context(format!("while waiting for {what}"))),
            Err(_) => {}
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_error_says_what_was_waited_for_and_what_was_seen() {
        let look = || async { Ok(Seen::<()>::NotYet("a closed door".to_owned())) };
        let error = until("an open door", Duration::from_millis(20), look).await.unwrap_err().to_string();
        assert_eq!(error, "waited 20 ms for an open door; last seen: a closed door");
    }

    #[tokio::test]
    async fn a_failed_look_ends_the_wait() {
        let look = || async { Err::<Seen<()>, _>(anyhow::anyhow!("the house burnt down")) };
        let error = until("an open door", Duration::from_secs(60), look).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "while waiting for an open door: the house burnt down");
    }
}
