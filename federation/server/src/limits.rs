//! How much of a server, and of the catalogue, one cluster may take.
//!
//! Reading order: [`Limits`] (as configured) → [`Quota`] and [`Exceeded`] (a refusal) → [`account`] (what a cluster has),
//! [`rate`] (how fast it changes), [`streams`] (how many it opens) → [`memory`] (what this server has left).

pub mod account;
pub mod memory;
pub mod rate;
pub mod streams;

use std::fmt;
use std::num::NonZeroU32;

use serde::Deserialize;

pub use self::account::{Account, Weight};
pub use self::memory::Memory;
pub use self::rate::{Bucket, Rates};
pub use self::streams::{Kind, Slot, Streams};

/// What one cluster may take, and this server as a whole. The same on every server, since a cluster may publish through any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Exports of one cluster.
    pub exports: u32,
    /// Endpoints listed in the exports of one cluster.
    pub endpoints: u32,
    /// Bytes of the exports of one cluster, as [`federation_model::Export::bytes`] counts them.
    pub bytes: u64,
    /// Messages of a cluster's publish streams that one server reads in a second, in the long run.
    pub changes_per_second: NonZeroU32,
    /// Messages that it reads at once from a cluster that was quiet.
    pub changes_burst: NonZeroU32,
    /// Streams of one kind of one cluster at one server: the one in use, and those of connections that broke and were not
    /// noticed yet.
    pub streams: NonZeroU32,
    /// Bytes of memory that this server may use before it takes no more streams and no more exports. Absent: no limit.
    pub memory_bytes: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            exports: 5_000,
            endpoints: 50_000,
            bytes: 64 * 1024 * 1024,
            changes_per_second: number(500),
            changes_burst: number(5_000),
            streams: number(8),
            memory_bytes: None,
        }
    }
}

/// What is limited, as a closed word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// Exports of a cluster.
    Exports,
    /// Endpoints of its exports.
    Endpoints,
    /// Bytes of its exports.
    Bytes,
    /// Streams of one kind.
    Streams,
    /// Memory of this server.
    Memory,
}

impl Quota {
    /// The reason of a refusal.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Exports => "quota_exports",
            Self::Endpoints => "quota_endpoints",
            Self::Bytes => "quota_bytes",
            Self::Streams => "too_many_streams",
            Self::Memory => "memory",
        }
    }
}

/// A limit that something would have passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// Which.
    pub quota: Quota,
    /// The limit.
    pub limit: u64,
    /// How much there is already.
    pub present: u64,
}

impl Exceeded {
    fn of(quota: Quota, limit: usize, present: usize) -> Self {
        let number = |number| u64::try_from(number).unwrap_or(u64::MAX);
        Self { quota, limit: number(limit), present: number(present) }
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { quota, limit, present } = self;
        match quota {
            Quota::Exports => write!(f, "the cluster has {present} exports, and may have {limit}"),
            Quota::Endpoints => {
                write!(f, "the cluster's exports list {present} endpoints, and may list {limit}")
            }
            Quota::Bytes => write!(f, "the cluster's exports have {present} bytes, and may have {limit}"),
            Quota::Streams => {
                write!(f, "the cluster has {present} streams of this kind open here, and may have {limit}")
            }
            Quota::Memory => {
                write!(f, "this server uses {present} bytes of memory, and takes nothing new over {limit}")
            }
        }
    }
}
