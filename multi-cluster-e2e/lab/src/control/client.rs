//! The commands' side of the control socket.

use std::path::Path;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::{MAX_LINE, Reply, Request};
use crate::state::LabState;

/// Asks the lab in `dir`; what it answers in words.
pub async fn ask(dir: &Path, request: &Request) -> anyhow::Result<String> {
    let state = LabState::read(dir)?;
    let stream = UnixStream::connect(&state.control).await.with_context(|| {
        format!("the lab in {} does not answer: it has ended; start it with `isthmus-lab up`", dir.display())
    })?;
    match exchange(stream, request).await? {
        Reply::Done(words) => Ok(words),
        Reply::Failed(why) => bail!("{why}"),
    }
}

/// Whether a lab runs in `dir`.
pub async fn is_alive(dir: &Path) -> bool {
    ask(dir, &Request::Ping).await.is_ok()
}

async fn exchange(mut stream: UnixStream, request: &Request) -> anyhow::Result<Reply> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut answer = String::new();
    BufReader::new(stream.take(MAX_LINE)).read_line(&mut answer).await?;
    serde_json::from_str(&answer).context("the lab ended without an answer")
}
