//! The assignment as it is kept in the agent's data directory, `egress-ports.json`.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use federation_model::data_plane::ServicePortId;
use serde::{Deserialize, Serialize};

/// The version that is written.
const VERSION: u32 = 1;

/// The file's content: `{"version": 1, "ports": {"demo/echo:80": 16004}}`. A file of a later version is refused: to
/// read half of it could move ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Saved {
    version: u32,
    ports: BTreeMap<ServicePortId, NonZeroU16>,
}

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSaved {
    /// A later agent wrote it.
    #[error("it is of version {0}, and this agent knows {VERSION}")]
    Version(u32),
}

#[derive(Deserialize)]
struct Raw {
    version: u32,
    ports: BTreeMap<ServicePortId, NonZeroU16>,
}

impl TryFrom<Raw> for Saved {
    type Error = InvalidSaved;
    fn try_from(raw: Raw) -> Result<Self, InvalidSaved> {
        match raw.version {
            VERSION => Ok(Self { version: VERSION, ports: raw.ports }),
            other => Err(InvalidSaved::Version(other)),
        }
    }
}

impl Saved {
    pub(super) fn of(ports: &BTreeMap<ServicePortId, NonZeroU16>) -> Self {
        Self { version: VERSION, ports: ports.clone() }
    }

    pub(super) fn into_ports(self) -> BTreeMap<ServicePortId, NonZeroU16> {
        self.ports
    }
}
