//! What the servers and their clients talk through: a proxy in front of each port, which knows who dialled, and does to
//! the bytes of each direction what it was told.
//!
//! TCP is not packets: what a broken network loses is sent again until it arrives or the connection is given up.
//! So bytes are held, delayed, or the connection is reset; they are never lost or changed.

mod gate;
mod owner;
mod proxy;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use self::owner::Pids;
use crate::fault::Traffic;

/// Who talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// A server.
    Server(u64),
    /// All agents and operators.
    Clients,
}

type Directions = BTreeMap<(End, End), watch::Sender<Traffic>>;

/// Every direction between two ends, open unless it was told otherwise. Clones are the same network.
#[derive(Debug, Clone, Default)]
pub struct Network {
    directions: Arc<Mutex<Directions>>,
}

impl Network {
    /// Says what becomes of traffic from one end to another from now on.
    pub fn set(&self, from: End, to: End, traffic: Traffic) {
        self.direction(from, to, |sender| sender.send_replace(traffic));
    }

    /// Opens every direction.
    pub fn heal(&self) {
        let directions = self.directions.lock().unwrap_or_else(PoisonError::into_inner);
        for direction in directions.values() {
            direction.send_replace(Traffic::Open);
        }
    }

    fn watch(&self, from: End, to: End) -> watch::Receiver<Traffic> {
        self.direction(from, to, watch::Sender::subscribe)
    }

    fn direction<T>(&self, from: End, to: End, act: impl FnOnce(&watch::Sender<Traffic>) -> T) -> T {
        let mut directions = self.directions.lock().unwrap_or_else(PoisonError::into_inner);
        act(directions.entry((from, to)).or_insert_with(|| watch::Sender::new(Traffic::Open)))
    }

    /// Begins to pass connections on to `target` at `to`; gives back where to dial instead. Connections come from
    /// clients, or, where `pids` are given, from whichever of these processes dialled.
    ///
    /// # Errors
    /// If there is no port to listen on.
    pub async fn proxy(&self, to: End, target: SocketAddr, pids: Option<Pids>) -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen")?;
        let address = listener.local_addr()?;
        let proxy = proxy::Proxy { network: self.clone(), to, target, pids };
        tokio::spawn(proxy.run(listener));
        Ok(address)
    }
}

#[cfg(test)]
mod tests;
