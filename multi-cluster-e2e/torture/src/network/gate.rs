//! One direction of one connection.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

use crate::fault::Traffic;

/// Bytes that are carried at once.
const PIECE: usize = 16 * 1024;

/// Carries bytes until either side ends or the direction is refused.
pub(super) async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut traffic: watch::Receiver<Traffic>,
) {
    let mut piece = vec![0; PIECE];
    loop {
        let read = tokio::select! {
            read = from.read(&mut piece) => read,
            () = refused(traffic.clone()) => return,
        };
        let Some(bytes) = read.ok().filter(|read| *read > 0).and_then(|read| piece.get(..read)) else {
            // The other side may still have something to say: only our direction ends.
            let _ = to.shutdown().await;
            return;
        };
        if !passes(&mut traffic).await || to.write_all(bytes).await.is_err() {
            return;
        }
    }
}

async fn refused(mut traffic: watch::Receiver<Traffic>) {
    // The network outlives its connections, and if not, they end with it.
    let _ = traffic.wait_for(|now| *now == Traffic::Refused).await;
}

/// Waits until what was read may go on; false if it never may.
async fn passes(traffic: &mut watch::Receiver<Traffic>) -> bool {
    loop {
        let now = *traffic.borrow_and_update();
        match now {
            Traffic::Open => return true,
            Traffic::Refused => return false,
            Traffic::Slow(delay) => {
                tokio::time::sleep(delay).await;
                return *traffic.borrow() != Traffic::Refused;
            }
            Traffic::Held => {
                if traffic.changed().await.is_err() {
                    return false;
                }
            }
        }
    }
}
