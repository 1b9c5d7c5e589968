//! Whose data directory this is. Written in a plain file beside the storage engine, so that a later version with
//! another engine still finds it, and once more inside the engine, so that neither can be swapped alone.

use std::fmt;

use federation_model::{ServerId, TrustDomain};
use serde::{Deserialize, Serialize};

/// The format of the data directory that this program writes. It reads none older: there is none.
pub(crate) const FORMAT: u32 = 1;

/// The owner of a data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreIdentity {
    /// The clusterset.
    pub clusterset: TrustDomain,
    /// The server.
    pub server: ServerId,
}

impl fmt::Display for StoreIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server {} of clusterset {}", self.server, self.clusterset)
    }
}

/// The identity with its format, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) format: u32,
    /// Absent when the format is too new to say how the rest is written.
    pub(crate) identity: Option<StoreIdentity>,
}

impl Marker {
    pub(crate) fn text(identity: &StoreIdentity) -> String {
        format!("format {FORMAT}\nclusterset {}\nserver {}\n", identity.clusterset, identity.server)
    }

    /// Reads what [`Marker::text`] wrote; `None` if it is something else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::trim))
        };
        let format: u32 = field("format")?.parse().ok()?;
        if format > FORMAT {
            return Some(Self { format, identity: None });
        }
        let clusterset = field("clusterset")?.parse().ok()?;
        let server = ServerId(field("server")?.parse().ok()?);
        Some(Self { format, identity: Some(StoreIdentity { clusterset, server }) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_is_read_as_written() {
        let identity = StoreIdentity { clusterset: "lab".parse().unwrap(), server: ServerId(3) };
        let marker = Marker::parse(&Marker::text(&identity));
        assert_eq!(marker, Some(Marker { format: 1, identity: Some(identity) }));
    }

    #[test]
    fn a_newer_format_is_recognised_whatever_follows() {
        let marker = Marker::parse("format 9\nnodes {1,2}\n");
        assert_eq!(marker, Some(Marker { format: 9, identity: None }));
        assert_eq!(Marker::parse("# not ours\n"), None);
    }
}
