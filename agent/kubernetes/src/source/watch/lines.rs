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
