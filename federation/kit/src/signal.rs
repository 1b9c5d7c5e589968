//! Being asked to stop.

use std::future::Future;
use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Ends, with the name of the signal, when the process receives SIGTERM or SIGINT.
///
/// The handlers are installed by the call, not by the first poll: a signal between the two is not lost, and does
/// not kill the process.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn shutdown() -> io::Result<impl Future<Output = &'static str> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}
