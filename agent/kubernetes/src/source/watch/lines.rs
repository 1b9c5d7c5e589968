//! A body as lines, each with a bounded length, each waited for a bounded time.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use kube::client::Body;

use super::limits::MAX_LINE;
use crate::connect::Trouble;

/// The lines of a body that may never end.
pub(super) struct Lines {
    body: Body,
    buffer: BytesMut,
    /// Bytes of the buffer that are known to hold no end of line.
    searched: usize,
}

impl Lines {
    pub(super) fn new(body: Body) -> Self {
        Self { body, buffer: BytesMut::new(), searched: 0 }
    }

    /// The next line without its end; `None` at the end of the body. A last line without an end is dropped: the stream
    /// was cut. Not cancel-safe in the sense that a frame in flight may be lost with the whole stream.
    ///
    /// # Errors
    /// When nothing comes for `idle`, the connection fails, or the line is too long.
    pub(super) async fn next(&mut self, idle: Duration) -> Result<Option<Bytes>, Trouble> {
        loop {
            if let Some(line) = self.take_line() {
                if line.is_empty() {
                    continue;
                }
                return Ok(Some(line));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(Trouble::Nonsense { detail: format!("a line of more than {MAX_LINE} bytes") });
            }
            match frame(&mut self.body, idle).await? {
                Some(data) => self.buffer.extend_from_slice(&data),
                None => return Ok(None),
            }
        }
    }

    fn take_line(&mut self) -> Option<Bytes> {
        let found = self.buffer.iter().skip(self.searched).position(|byte| *byte == b'\n');
        let Some(position) = found else {
            self.searched = self.buffer.len();
            return None;
        };
        let line = self.buffer.split_to(self.searched + position);
        self.buffer.advance(1);
        self.searched = 0;
        Some(line.freeze())
    }
}

/// The next piece of a body.
pub(super) async fn frame(body: &mut Body, idle: Duration) -> Result<Option<Bytes>, Trouble> {
    loop {
        let next = tokio::time::timeout(idle, body.frame()).await;
        let next = next.map_err(|_| Trouble::Unreachable {
            detail: format!("it sent nothing for {} s", idle.as_secs()),
        })?;
        match next {
            None => return Ok(None),
            Some(Err(error)) => return Err(Trouble::of_transport(&error)),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::{StreamExt, stream};
    use http::{Request, Response};
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use kube::Client;
    use tower::service_fn;

    use super::super::limits::WATCH_IDLE;
    use super::*;

    /// An answer that has these pieces and then goes on for ever without another.
    async fn silent_after(pieces: &'static [&'static [u8]]) -> Lines {
        let server = service_fn(move |_: Request<Body>| async move {
            let frames = stream::iter(pieces).map(|piece| Frame::data(Bytes::from_static(piece)));
            let frames = frames.map(Ok::<_, Infallible>).chain(stream::pending());
            Ok::<_, Infallible>(Response::new(StreamBody::new(frames)))
        });
        let client = Client::new(server, "default");
        let answer = client.send(Request::new(Body::empty())).await.unwrap();
        Lines::new(answer.into_body())
    }

    #[tokio::test(start_paused = true)]
    async fn lines_are_whole_however_they_were_cut_and_silence_ends_the_stream() {
        let mut lines = silent_after(&[b"one", b"\n\ntw", b"o\nhalf"]).await;
        assert_eq!(lines.next(WATCH_IDLE).await, Ok(Some(Bytes::from_static(b"one"))));
        assert_eq!(lines.next(WATCH_IDLE).await, Ok(Some(Bytes::from_static(b"two"))));
        let silent = Trouble::Unreachable { detail: "it sent nothing for 150 s".to_owned() };
        assert_eq!(lines.next(WATCH_IDLE).await, Err(silent));
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_has_a_longest() {
        const PIECE: &[u8] = &[b'x'; 1024 * 1024];
        let mut lines = silent_after(&[PIECE; MAX_LINE / PIECE.len() + 1]).await;
        let told = lines.next(WATCH_IDLE).await;
        assert!(
            matches!(&told, Err(Trouble::Nonsense { detail }) if detail.contains("a line of more than")),
            "{told:?}"
        );
    }
}
