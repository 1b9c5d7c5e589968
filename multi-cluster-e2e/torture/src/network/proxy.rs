//! One listening port in front of one real one.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::gate::carry;
use super::owner::Pids;
use super::{End, Network};
use crate::fault::Traffic;

pub(super) struct Proxy {
    pub(super) network: Network,
    pub(super) to: End,
    pub(super) target: SocketAddr,
    pub(super) pids: Option<Pids>,
}

impl Proxy {
    /// Serves until the runtime ends.
    pub(super) async fn run(self, listener: TcpListener) {
        loop {
            // Without a descriptor to spare the next one may still be had a moment later.
            let Ok((stream, peer)) = listener.accept().await else {
                tokio::task::yield_now().await;
                continue;
            };
            let from = match &self.pids {
                None => Some(End::Clients),
                // Whoever dialled and is dead already, or is none of ours, is hung up on.
                Some(pids) => pids.owner(peer).map(End::Server),
            };
            if let Some(from) = from {
                let (network, to, target) = (self.network.clone(), self.to, self.target);
                tokio::spawn(pass(network, from, to, stream, target));
            }
        }
    }
}

async fn pass(network: Network, from: End, to: End, stream: TcpStream, target: SocketAddr) {
    let (there, back) = (network.watch(from, to), network.watch(to, from));
    let refused = |traffic: Traffic| traffic == Traffic::Refused;
    if refused(*there.borrow()) || refused(*back.borrow()) {
        return;
    }
    let Ok(onward) = TcpStream::connect(target).await else { return };
    // Small messages go at once, as they do without a proxy.
    let _ = (stream.set_nodelay(true), onward.set_nodelay(true));
    let (ours_read, ours_write) = stream.into_split();
    let (theirs_read, theirs_write) = onward.into_split();
    let gates = [network.watch(from, to), network.watch(to, from)];
    let reset = either_refused(gates);
    tokio::select! {
        ((), ()) = async { tokio::join!(carry(ours_read, theirs_write, there), carry(theirs_read, ours_write, back)) } => {}
        () = reset => {}
    }
}

async fn either_refused([mut there, mut back]: [watch::Receiver<Traffic>; 2]) {
    tokio::select! {
        _ = there.wait_for(|now| *now == Traffic::Refused) => {}
        _ = back.wait_for(|now| *now == Traffic::Refused) => {}
    }
}
