//! A range of ports.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Ports from the first to the last, both included. Written as `16000-24999`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortRange {
    first: NonZeroU16,
    last: NonZeroU16,
}

/// Why a text is not a range of ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPortRange {
    /// It has another form.
    #[error("a range of ports is written as first-last, such as 16000-24999, with ports from 1 to 65535")]
    Form,
    /// The last comes before the first.
    #[error("the last port, {last}, is lower than the first, {first}")]
    Backwards {
        /// The first port.
        first: NonZeroU16,
        /// The last port.
        last: NonZeroU16,
    },
}

impl PortRange {
    /// From `first` to `last`.
    pub fn new(first: NonZeroU16, last: NonZeroU16) -> Result<Self, InvalidPortRange> {
        if last < first { Err(InvalidPortRange::Backwards { first, last }) } else { Ok(Self { first, last }) }
    }

    /// Whether a port is in it.
    pub fn contains(&self, port: NonZeroU16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    /// How many ports it has; at least one.
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub fn len(&self) -> usize {
        usize::from(self.last.get() - self.first.get()) + 1
    }

    /// Every port once, from the one that `start` falls on to the last and on from the first.
    pub(super) fn from(&self, start: u64) -> impl Iterator<Item = NonZeroU16> + use<> {
        let (first, last) = (self.first.get(), self.last.get());
        let len = u64::from(last - first) + 1;
        let start = first.saturating_add(u16::try_from(start % len).unwrap_or_default());
        (start..=last).chain(first..start).filter_map(NonZeroU16::new)
    }
}

impl Default for PortRange {
    /// 16000-24999: below the ports that Linux gives to outgoing connections, and off Kubernetes' NodePorts.
    fn default() -> Self {
        const FIRST: NonZeroU16 = NonZeroU16::new(16_000).expect("not zero");
        const LAST: NonZeroU16 = NonZeroU16::new(24_999).expect("not zero");
        Self { first: FIRST, last: LAST }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for PortRange {
    type Err = InvalidPortRange;
    fn from_str(text: &str) -> Result<Self, InvalidPortRange> {
        let (first, last) = text.split_once('-').ok_or(InvalidPortRange::Form)?;
        let port = |text: &str| text.trim().parse::<NonZeroU16>().map_err(|_| InvalidPortRange::Form);
        Self::new(port(first)?, port(last)?)
    }
}

impl TryFrom<String> for PortRange {
    type Error = InvalidPortRange;
    fn try_from(text: String) -> Result<Self, InvalidPortRange> {
        text.parse()
    }
}

impl From<PortRange> for String {
    fn from(range: PortRange) -> Self {
        range.to_string()
    }
}
