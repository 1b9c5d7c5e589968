//! Bytes both ways, until they end or something ends them.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};
use tokio::net::TcpStream;

pub mod flow;
pub mod plain;

pub use flow::{Activity, Flow};

use crate::metrics::Bytes;
use crate::track::{CloseReason, Live};

/// Buffer for each direction of a connection that is decrypted here.
const TLS_BUFFER: usize = 8 * 1024;

/// How long a connection may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayLimits {
    /// Without a byte either way.
    pub idle: Duration,
    /// At all. `None`: as long as it likes.
    pub lifetime: Option<Duration>,
}

/// How a connection ended.
#[derive(Debug)]
pub enum Ended {
    /// Both ends said that they are done.
    Finished,
    /// Nothing moved for too long.
    Idle,
    /// It lived for as long as it may.
    Lifetime,
    /// The gateway ended it.
    Closed(CloseReason),
    /// One end failed, or left without saying goodbye.
    Failed(io::Error),
}

impl Ended {
    /// The word for it in metrics and logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Idle => "idle",
            Self::Lifetime => "lifetime",
            Self::Closed(reason) => reason.label(),
            Self::Failed(_) => "failed",
        }
    }
}

/// Relays between two plain connections. Unless both ends were done, both are reset afterwards: an end that was cut
/// off must not look like one that was complete.
pub async fn between_plain(
    mut client: TcpStream,
    mut server: TcpStream,
    bytes: &Bytes,
    limits: RelayLimits,
    live: &mut Live,
) -> Ended {
    let activity = Activity::new();
    let (up, down) = flows(&activity, bytes);
    let ended = until(plain::copy(&mut client, &mut server, up, down), &activity, limits, live).await;
    if !matches!(ended, Ended::Finished) {
        reset(&client);
        reset(&server);
    }
    ended
}

/// Relays between a TLS stream and a plain one, in either role. A TLS end that is cut off sees no `close_notify`.
pub async fn between_tls_and_plain<C, S>(
    mut client: C,
    mut server: S,
    bytes: &Bytes,
    limits: RelayLimits,
    live: &mut Live,
    plain: impl Fn(&C, &S),
) -> Ended
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let activity = Activity::new();
    let (up, down) = flows(&activity, bytes);
    let ended = {
        let mut client = flow::Metered::new(&mut client, up);
        let mut server = flow::Metered::new(&mut server, down);
        let copy = async {
            copy_bidirectional_with_sizes(&mut client, &mut server, TLS_BUFFER, TLS_BUFFER).await.map(drop)
        };
        until(copy, &activity, limits, live).await
    };
    if !matches!(ended, Ended::Finished) {
        plain(&client, &server);
    }
    ended
}

fn flows<'a>(activity: &'a Activity, bytes: &'a Bytes) -> (Flow<'a>, Flow<'a>) {
    (Flow { activity, bytes: &bytes.from_client }, Flow { activity, bytes: &bytes.to_client })
}

async fn until(
    copy: impl Future<Output = io::Result<()>>,
    activity: &Activity,
    limits: RelayLimits,
    live: &mut Live,
) -> Ended {
    let lifetime = async {
        match limits.lifetime {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        reason = live.closed() => Ended::Closed(reason),
        copied = copy => copied.map_or_else(Ended::Failed, |()| Ended::Finished),
        () = activity.idle_for(limits.idle) => Ended::Idle,
        () = lifetime => Ended::Lifetime,
    }
}

/// Makes the close that follows a reset. A connection that is gone needs none.
pub fn reset(stream: &TcpStream) {
    let _gone = stream.set_zero_linger();
}

#[cfg(test)]
mod tests;
