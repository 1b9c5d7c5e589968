//! What happened, in order: its hash, by which two runs of a seed are compared, and its end, for people.

use std::collections::VecDeque;

use tokio::time::Instant;

/// Events that are shown when something is wrong.
const SHOWN: usize = 60;

/// The record of one run.
#[derive(Debug)]
pub struct Trace {
    begun: Instant,
    hash: u64,
    events: u64,
    last: VecDeque<String>,
    aloud: bool,
}

impl Trace {
    /// An empty one; `aloud`: every event is printed too.
    #[must_use]
    pub fn new(aloud: bool) -> Self {
        Self { begun: Instant::now(), hash: 0xcbf2_9ce4_8422_2325, events: 0, last: VecDeque::new(), aloud }
    }

    /// Something happened.
    pub fn note(&mut self, event: impl AsRef<str>) {
        let at = self.begun.elapsed();
        let line = format!("{:>7}.{:03} {}", at.as_secs(), at.subsec_millis(), event.as_ref());
        // FNV-1a, with the time to the microsecond.
        for byte in at.as_micros().to_le_bytes().into_iter().chain(event.as_ref().bytes()) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.events += 1;
        if self.aloud {
            eprintln!("{line}");
        }
        self.last.push_back(line);
        if self.last.len() > SHOWN {
            self.last.pop_front();
        }
    }

    /// Of everything that happened so far.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// How much happened so far.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The last events, oldest first.
    pub fn last(&self) -> impl Iterator<Item = &str> {
        self.last.iter().map(String::as_str)
    }
}
