//! Which ports a lab uses: its defaults where they are free, others where they are taken.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use anyhow::bail;
use rand::Rng;

/// Random ports come from here: below the kernel's ephemeral range, so that no outgoing connection takes one between
/// the probe and the process that will bind it.
const RANDOM: std::ops::Range<u16> = 12_000..32_000;
/// Probes before giving up.
const TRIES: usize = 400;

/// How ports are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortChoice {
    /// The documented defaults first, so that a person finds the same addresses every day.
    Defaults,
    /// Anywhere: many labs run side by side.
    Random,
}

/// Hands out ports that nobody listens on, each once.
#[derive(Debug)]
pub struct Ports {
    choice: PortChoice,
    given: BTreeSet<SocketAddr>,
}

impl Ports {
    /// Nothing handed out yet.
    pub fn new(choice: PortChoice) -> Self {
        Self { choice, given: BTreeSet::new() }
    }

    /// A free port of `ip`: `preferred` if the choice is by defaults and it is free. Free means that both TCP and UDP
    /// can be bound at this moment.
    pub fn pick(&mut self, ip: IpAddr, preferred: u16) -> anyhow::Result<SocketAddr> {
        if self.choice == PortChoice::Defaults && self.take(SocketAddr::new(ip, preferred)) {
            return Ok(SocketAddr::new(ip, preferred));
        }
        let mut random = rand::rng();
        for _ in 0..TRIES {
            let address = SocketAddr::new(ip, random.random_range(RANDOM));
            if self.take(address) {
                return Ok(address);
            }
        }
        bail!("no free port found on {ip} in {TRIES} probes")
    }

    fn take(&mut self, address: SocketAddr) -> bool {
        let free = !self.given.contains(&address)
            && TcpListener::bind(address).is_ok()
            && UdpSocket::bind(address).is_ok();
        if free {
            self.given.insert(address);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_taken_default_is_replaced() {
        let holder = TcpListener::bind((LOCAL, 0)).unwrap();
        let taken = holder.local_addr().unwrap().port();
        let picked = Ports::new(PortChoice::Defaults).pick(LOCAL, taken).unwrap();
        assert_ne!(picked.port(), taken);
    }

    #[test]
    fn no_port_is_given_twice() {
        let mut ports = Ports::new(PortChoice::Random);
        let picked: BTreeSet<_> = (0..40).map(|_| ports.pick(LOCAL, 1).unwrap()).collect();
        assert_eq!(picked.len(), 40);
    }
}
