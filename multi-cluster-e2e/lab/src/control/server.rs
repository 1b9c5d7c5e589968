//! The lab's side of the control socket.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::{MAX_LINE, Reply, Request};
use crate::lab::Lab;

/// Takes commands for one lab, one connection at a time: they change processes and must not cross each other.
#[derive(Debug)]
pub struct ControlServer {
    listener: UnixListener,
}

impl ControlServer {
    /// Binds the socket. Its directory is private, so only its owner can reach it.
    pub fn bind(path: &Path) -> anyhow::Result<Self> {
        let listener =
            UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
        Ok(Self { listener })
    }

    /// Serves until somebody asks for `down`; gives back that connection, which is answered when the lab is gone.
    pub async fn run(&self, lab: &Arc<Lab>) -> Farewell {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else { continue };
            if let Ok(Some(farewell)) = serve(stream, lab).await {
                return farewell;
            }
        }
    }
}

/// The connection that asked for the end of the lab.
#[derive(Debug)]
pub struct Farewell(UnixStream);

impl Farewell {
    /// Says that the lab is gone.
    pub async fn answer(mut self) {
        // Whoever asked may have left.
        let _ = send(&mut self.0, &Reply::Done("the lab is down".to_owned())).await;
    }
}

async fn serve(mut stream: UnixStream, lab: &Arc<Lab>) -> anyhow::Result<Option<Farewell>> {
    let mut line = String::new();
    BufReader::new((&mut stream).take(MAX_LINE)).read_line(&mut line).await?;
    let reply = match serde_json::from_str(&line) {
        Ok(Request::Down) => return Ok(Some(Farewell(stream))),
        Ok(request) => obey(request, lab).await,
        Err(error) => Reply::Failed(format!("not a request: {error}")),
    };
    send(&mut stream, &reply).await?;
    Ok(None)
}

async fn obey(request: Request, lab: &Arc<Lab>) -> Reply {
    let done = match request {
        Request::Ping | Request::Down => Ok("the lab is up".to_owned()),
        Request::Stop { name, hard } => lab.stop(&name, hard).await.map(|()| format!("{name} is stopped")),
        Request::Start { name } => lab.start(&name).await.map(|pid| format!("{name} runs as process {pid}")),
    };
    done.map_or_else(|error| Reply::Failed(format!("{error:#}")), Reply::Done)
}

async fn send(stream: &mut UnixStream, reply: &Reply) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    Ok(stream.shutdown().await?)
}
