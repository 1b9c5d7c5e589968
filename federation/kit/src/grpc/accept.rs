//! What every accept loop does about errors of `accept` itself.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// How long to leave the listener alone when the process is out of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(500);

/// Errors of `accept` are of two kinds. A connection that died in the queue concerns nobody, and the next one is
/// taken at once. Anything else (`EMFILE`, `ENOBUFS`) stays true for a while, and taking again at once would be a
/// busy loop: the listener pauses.
#[derive(Debug, Default)]
pub(super) struct Accept {
    pause: Option<Pin<Box<Sleep>>>,
}

impl Accept {
    /// Polls `accept` until it yields a connection.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut accept: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<T> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match ready!(accept(cx)) {
                Ok(connection) => return Poll::Ready(connection),
                Err(error) if concerns_one_connection(error.kind()) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections for now");
                    self.pause = Some(Box::pin(sleep(PAUSE)));
                }
            }
        }
    }
}

const fn concerns_one_connection(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(kind, ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_dead_connection_is_skipped_and_a_full_table_is_waited_out() {
        let mut answers = vec![
            Ok(2),
            Err(io::Error::other("too many open files")),
            Ok(1),
            Err(io::ErrorKind::ConnectionAborted.into()),
        ];
        let mut accept = Accept::default();
        let begun = Instant::now();
        let mut next = async || {
            std::future::poll_fn(|cx| accept.poll(cx, |_| Poll::Ready(answers.pop().unwrap()))).await
        };
        assert_eq!(next().await, 1);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert_eq!(next().await, 2);
        assert_eq!(begun.elapsed(), PAUSE);
    }
}
