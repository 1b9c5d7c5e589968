//! Blocks of loopback addresses, one per cluster: its VIPs and its pods live there.
//!
//! Several labs may run on one machine, and VIPs always use the services' own ports, so two labs must never share a
//! block. A block is held by a listening socket: the kernel lets go of it however the lab ends.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::bail;
use rand::seq::SliceRandom;

use crate::ports::PortChoice;

/// The port whose binding on `127.<octet>.255.254` means "this block is in use".
const LOCK_PORT: u16 = 7999;
/// The second octets that labs may use.
const FIRST: u8 = 20;
const LAST: u8 = 254;
/// Where a lab with default ports begins to look; 240 is the federation's own range.
const FIRST_DEFAULT: u8 = 241;

/// `127.<octet>.0.0/16`, nobody else's while this value lives.
#[derive(Debug)]
pub struct LoopbackBlock {
    octet: u8,
    _held: TcpListener,
}

impl LoopbackBlock {
    /// Claims `count` blocks.
    pub fn claim(count: usize, choice: PortChoice) -> anyhow::Result<Vec<Self>> {
        let mut blocks = Vec::new();
        for octet in candidates(choice) {
            if blocks.len() == count {
                break;
            }
            if let Ok(held) = TcpListener::bind((Ipv4Addr::new(127, octet, 255, 254), LOCK_PORT)) {
                blocks.push(Self { octet, _held: held });
            }
        }
        if blocks.len() < count {
            bail!("only {} of {count} blocks of loopback addresses are free", blocks.len());
        }
        Ok(blocks)
    }

    /// The second octet.
    pub fn octet(&self) -> u8 {
        self.octet
    }
}

fn candidates(choice: PortChoice) -> Vec<u8> {
    let mut others: Vec<u8> = (FIRST..FIRST_DEFAULT - 1).collect();
    others.shuffle(&mut rand::rng());
    match choice {
        PortChoice::Random => others,
        PortChoice::Defaults => (FIRST_DEFAULT..=LAST).chain(others).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn two_labs_never_share_a_block() {
        let one = LoopbackBlock::claim(3, PortChoice::Random).unwrap();
        let two = LoopbackBlock::claim(3, PortChoice::Random).unwrap();
        let octets: BTreeSet<u8> = one.iter().chain(&two).map(LoopbackBlock::octet).collect();
        assert_eq!(octets.len(), 6);
    }

    #[test]
    fn the_federations_own_range_is_never_claimed() {
        for choice in [PortChoice::Defaults, PortChoice::Random] {
            assert!(!candidates(choice).contains(&240));
        }
    }
}
