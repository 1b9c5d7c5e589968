//! Addresses that people write down for others to dial.

/// Longest `host:port`, in bytes.
pub const MAX_HOST_PORT: usize = 261;

/// Whether this is `host:port` with a port from 1: a name, an IPv4 address, or an IPv6 address in brackets. Names are
/// resolved when they are dialled.
#[must_use]
pub fn is_host_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | '@');
    !host.is_empty()
        && text.len() <= MAX_HOST_PORT
        && host.chars().all(plain)
        && port.parse::<u16>().is_ok_and(|port| port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_dialled_is_taken() {
        for good in ["a:1", "127.0.0.1:7400", "[::1]:7400", "server-0.isthmus.svc:7400"] {
            assert!(is_host_port(good), "{good}");
        }
        let long = format!("{}:1", "a".repeat(300));
        for wrong in ["", "a", "a:", ":1", "a:0", "a:65536", "http://a:1", "a b:1", &long] {
            assert!(!is_host_port(wrong), "{wrong}");
        }
    }
}
