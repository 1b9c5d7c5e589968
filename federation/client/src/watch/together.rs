//! What has arrived together appears together.
//!
//! A view costs something to publish, however little differs from the last one. An agent that is behind its server finds
//! one consistent point after the other, and a view for each would leave it further behind. So a point is passed over while
//! what comes behind it is here already. That is as if its server had not said it: the next one says more, and a stream that
//! breaks before is resumed from the last view that was published.

use std::time::Duration;

use federation_api::federation as wire;
use futures::{FutureExt, Stream, StreamExt};
use tokio::time::Instant;
use tonic::Status;
use wire::watch_response::Message;

/// How long points may be passed over: then there is a view, whatever comes behind it.
const LONGEST: Duration = Duration::from_millis(20);

/// The messages of one watch.
#[derive(Debug)]
pub(super) struct Together<S> {
    messages: S,
    /// Looked at, and not handed out yet; none inside: the end of the stream.
    ahead: Option<Option<Result<wire::WatchResponse, Status>>>,
    /// When the first point was passed over since the last that was not.
    passing_since: Option<Instant>,
}

impl<S: Stream<Item = Result<wire::WatchResponse, Status>> + Unpin> Together<S> {
    pub(super) fn new(messages: S) -> Self {
        Self { messages, ahead: None, passing_since: None }
    }

    /// The next message that counts; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<wire::WatchResponse>, Status> {
        loop {
            let message = match self.ahead.take() {
                Some(message) => message,
                None => self.messages.next().await,
            };
            let Some(message) = message.transpose()? else { return Ok(None) };
            if !matches!(message.message, Some(Message::Progress(_))) || !self.passes() {
                return Ok(Some(message));
            }
        }
    }

    /// Whether a point that has come is passed over.
    fn passes(&mut self) -> bool {
        let since = *self.passing_since.get_or_insert_with(Instant::now);
        if since.elapsed() < LONGEST {
            self.ahead = self.messages.next().now_or_never();
            let next = self.ahead.as_ref().and_then(|ahead| ahead.as_ref()?.as_ref().ok());
            let next = next.and_then(|next| next.message.as_ref());
            // Both lead to another point. A snapshot does so much later.
            if matches!(next, Some(Message::Upsert(_) | Message::Remove(_) | Message::Progress(_))) {
                return true;
            }
        }
        self.passing_since = None;
        false
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    fn said(message: Message) -> Result<wire::WatchResponse, Status> {
        Ok(wire::WatchResponse { message: Some(message) })
    }

    fn point(revision: u64) -> Result<wire::WatchResponse, Status> {
        said(Message::Progress(wire::Progress { revision, leader_unix_millis: 1 }))
    }

    fn change() -> Result<wire::WatchResponse, Status> {
        said(Message::Upsert(Default::default()))
    }

    /// What is handed out until nothing more is here: revisions of points, and zero for changes.
    async fn handed_out(messages: Vec<Result<wire::WatchResponse, Status>>) -> Vec<u64> {
        let mut together = Together::new(stream::iter(messages).chain(stream::pending()));
        let mut out = Vec::new();
        while let Some(Ok(Some(message))) = together.next().now_or_never() {
            out.push(match message.message {
                Some(Message::Progress(progress)) => progress.revision,
                _ => 0,
            });
        }
        out
    }

    #[tokio::test(start_paused = true)]
    async fn points_that_are_here_together_are_one() {
        let messages = vec![change(), point(1), change(), change(), point(2), point(3), change(), point(4)];
        assert_eq!(handed_out(messages).await, [0, 0, 0, 0, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_point_that_nothing_follows_is_handed_out_at_once() {
        assert_eq!(handed_out(vec![change(), point(1)]).await, [0, 1]);
        // The change behind it may take a while to be whole: by then the point would be old.
        let begin = || said(Message::SnapshotBegin(wire::SnapshotBegin {}));
        let out = handed_out(vec![change(), point(1), begin(), change()]).await;
        assert_eq!(out, [0, 1, 0, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_is_always_behind_sees_points_too() {
        let mut together = Together::new(stream::iter([point(1), change(), point(2), change(), point(3)]));
        together.passing_since = Some(Instant::now());
        tokio::time::advance(LONGEST).await;
        let mut next = async || match together.next().await.unwrap().and_then(|message| message.message) {
            Some(Message::Progress(progress)) => Some(progress.revision),
            _ => None,
        };
        assert_eq!((next().await, next().await, next().await), (Some(1), None, None));
        assert_eq!(next().await, Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_breaks_behind_a_point_has_said_it() {
        let broken = stream::iter([change(), point(1), Err(Status::unavailable("gone"))]);
        let mut together = Together::new(broken);
        let mut kinds = Vec::new();
        for _ in 0..3 {
            kinds.push(together.next().await.map(|message| message.is_some()).is_ok());
        }
        assert_eq!(kinds, [true, true, false]);
    }
}
