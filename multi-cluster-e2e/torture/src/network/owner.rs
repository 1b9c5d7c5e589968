//! Which process dialled a connection, as the kernel knows it (proc(5)): the socket's inode by its address, and the
//! process that has it open.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The processes of the servers, by their number. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Pids(Arc<Mutex<BTreeMap<u64, u32>>>);

impl Pids {
    /// A server was started.
    pub fn set(&self, server: u64, pid: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(server, pid);
    }

    /// Whose socket has this address.
    pub(super) fn owner(&self, address: SocketAddr) -> Option<u64> {
        let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
        let wanted = PathBuf::from(format!("socket:[{}]", inode(&table, address)?));
        let pids = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        pids.into_iter().find(|(_, pid)| has_open(*pid, &wanted)).map(|(server, _)| server)
    }
}

fn has_open(pid: u32, wanted: &PathBuf) -> bool {
    let Ok(open) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    open.flatten().any(|file| std::fs::read_link(file.path()).is_ok_and(|target| target == *wanted))
}

/// The inode of the IPv4 socket with this local address: field 10 of its line.
fn inode(table: &str, address: SocketAddr) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        (parse(local)? == address).then(|| fields.nth(7)?.parse().ok())?
    })
}

/// `0100007F:1F90` is 127.0.0.1:8080: the address in the machine's byte order, the port as people write it.
fn parse(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let address = Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?.to_ne_bytes());
    Some(SocketAddr::from((address, u16::from_str_radix(port, 16).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_line_of_the_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 20 4 30 10 -1\n";
        assert_eq!(inode(table, "127.0.0.1:8080".parse().unwrap()), Some(4242));
        assert_eq!(inode(table, "127.0.0.1:8081".parse().unwrap()), None);
        assert_eq!(inode("", "127.0.0.1:8080".parse().unwrap()), None);
    }

    #[test]
    fn this_very_process_is_found_by_its_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let pids = Pids::default();
        assert_eq!(pids.owner(stream.local_addr().unwrap()), None);
        pids.set(3, std::process::id());
        assert_eq!(pids.owner(stream.local_addr().unwrap()), Some(3));
    }
}
