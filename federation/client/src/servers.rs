//! The addresses of the federation's servers.

use std::sync::Arc;

use arc_swap::ArcSwap;
use federation_kit::grpc::MAX_HOST_PORT;
pub use federation_kit::grpc::is_host_port;

/// Most servers of one federation.
pub const MAX_SERVERS: usize = 64;

/// A non-empty list of `host:port`, replaced when the federation says so. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Servers(Arc<ArcSwap<Vec<String>>>);

/// Why a list of servers is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServers {
    /// Nothing to dial.
    #[error("the list of servers is empty")]
    Empty,
    /// Longer than any federation.
    #[error("{0} servers given, at most {MAX_SERVERS} allowed")]
    TooMany(usize),
    /// Not `host:port`.
    #[error("{0:?} is not host:port")]
    Address(String),
}

impl Servers {
    /// Checks and takes a list.
    pub fn new(addresses: Vec<String>) -> Result<Self, InvalidServers> {
        check(&addresses)?;
        Ok(Self(Arc::new(ArcSwap::from_pointee(addresses))))
    }

    /// Replaces the list. A wrong one changes nothing.
    pub fn set(&self, addresses: Vec<String>) -> Result<(), InvalidServers> {
        check(&addresses)?;
        self.0.store(Arc::new(addresses));
        Ok(())
    }

    /// The list of now.
    pub fn get(&self) -> Arc<Vec<String>> {
        self.0.load_full()
    }
}

fn check(addresses: &[String]) -> Result<(), InvalidServers> {
    if addresses.is_empty() {
        return Err(InvalidServers::Empty);
    }
    if addresses.len() > MAX_SERVERS {
        return Err(InvalidServers::TooMany(addresses.len()));
    }
    match addresses.iter().find(|address| !is_host_port(address)) {
        Some(wrong) => Err(InvalidServers::Address(wrong.chars().take(MAX_HOST_PORT).collect())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lists_that_can_be_dialled_are_taken() {
        let list = |all: &[&str]| Servers::new(all.iter().map(|a| (*a).to_owned()).collect());
        assert!(list(&["a:1", "127.0.0.1:7400", "[::1]:7400", "server-0.isthmus.svc:7400"]).is_ok());
        assert_eq!(list(&[]).unwrap_err(), InvalidServers::Empty);
        assert_eq!(list(&["a:1"; MAX_SERVERS + 1]).unwrap_err(), InvalidServers::TooMany(MAX_SERVERS + 1));
        for wrong in
            ["", "a", "a:", ":1", "a:0", "a:65536", "http://a:1", "a b:1", &format!("{}:1", "a".repeat(300))]
        {
            assert!(matches!(list(&["a:1", wrong]), Err(InvalidServers::Address(_))), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_list_does_not_replace_a_right_one() {
        let servers = Servers::new(vec!["a:1".to_owned()]).unwrap();
        let clone = servers.clone();
        servers.set(vec![]).unwrap_err();
        assert_eq!(*clone.get(), ["a:1"]);
        servers.set(vec!["b:2".to_owned()]).unwrap();
        assert_eq!(*clone.get(), ["b:2"]);
    }
}
