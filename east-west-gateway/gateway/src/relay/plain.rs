//! Bytes between two TCP connections, untouched.
//!
//! A connection that is idle holds no buffer: all connections of a thread read into one shared buffer, and only what
//! the other side does not take at once is kept, until it does.

use std::cell::RefCell;
use std::io;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::flow::Flow;

/// Bytes moved in one go.
const SHARED_BUFFER: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SHARED_BUFFER].into_boxed_slice());
}

/// Copies both ways until both ends have said that they are done. The end of one direction is passed on after
/// everything before it, and the other direction goes on.
pub async fn copy(
    client: &mut TcpStream,
    server: &mut TcpStream,
    from_client: Flow<'_>,
    to_client: Flow<'_>,
) -> io::Result<()> {
    let (client_read, client_write) = client.split();
    let (server_read, server_write) = server.split();
    tokio::try_join!(
        pump(client_read, server_write, from_client),
        pump(server_read, client_write, to_client)
    )?;
    Ok(())
}

/// What came of one turn.
enum Turn {
    /// Everything read was written, or there was nothing to read after all.
    Clear,
    /// The other side did not take these bytes yet.
    Left(Vec<u8>),
    /// The reading side is done.
    End,
}

async fn pump(from: ReadHalf<'_>, mut to: WriteHalf<'_>, flow: Flow<'_>) -> io::Result<()> {
    loop {
        from.readable().await?;
        match turn(&from, &to, flow)? {
            Turn::Clear => {}
            Turn::Left(rest) => {
                to.write_all(&rest).await?;
                flow.moved(rest.len());
            }
            Turn::End => return finish(&mut to).await,
        }
        // Readiness alone never yields: a fast pair of sockets would keep the thread to itself.
        tokio::task::coop::consume_budget().await;
    }
}

/// Never suspends, so the shared buffer is never held over a wait.
fn turn(from: &ReadHalf<'_>, to: &WriteHalf<'_>, flow: Flow<'_>) -> io::Result<Turn> {
    BUFFER.with_borrow_mut(|buffer| {
        let read = match from.try_read(buffer) {
            Ok(0) => return Ok(Turn::End),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Turn::Clear),
            Err(error) => return Err(error),
        };
        let mut rest = buffer.get(..read).unwrap_or_default();
        while !rest.is_empty() {
            match to.try_write(rest) {
                Ok(n) => {
                    flow.moved(n);
                    rest = rest.get(n..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Turn::Left(rest.to_vec()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Turn::Clear)
    })
}

async fn finish(to: &mut WriteHalf<'_>) -> io::Result<()> {
    match to.shutdown().await {
        // The other side has gone already: there is nobody left to tell.
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        other => other,
    }
}
