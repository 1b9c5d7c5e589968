//! Who speaks for a cluster: of all publish streams that its agents ever opened, the last.
//!
//! Proposals may be delayed and repeated, by connections that are long gone. Each publish stream therefore opens a session
//! under a number that no session of its cluster had before, and whatever it says carries that number; `State::apply`
//! refuses what does not carry the present one. Inside a session, generations order what is said of one service, also after
//! the service was withdrawn: that is what [`Withdrawn`] remembers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{Generation, InstanceId, ServiceId, SessionNumber, StreamId};

/// Most withdrawn services that a session remembers one by one.
pub const MAX_WITHDRAWN: usize = 1_024;

/// The publish stream that speaks for a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its number; that of the next is higher.
    pub number: SessionNumber,
    /// Which of the streams that asked for this number has it.
    pub stream: StreamId,
    /// The last that it said of its cluster.
    pub hello: u64,
    /// The agent that opened it. Only this one may bring an expired lease back to life.
    pub instance: InstanceId,
    /// What was withdrawn since it was opened.
    pub withdrawn: Withdrawn,
}

/// The generations at which services were withdrawn in this session: a put that is not later is a late repetition.
///
/// Bounded by [`MAX_WITHDRAWN`]: of the services forgotten, the highest generation is kept for all. An exporter has one
/// counter, so that this refuses nothing new; if it did, its exporter would say it again under a higher generation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    services: BTreeMap<ServiceId, Generation>,
    forgotten: Option<Generation>,
}

impl Withdrawn {
    /// The generation up to which puts of `service`, which is not there, are late.
    pub fn until(&self, service: &ServiceId) -> Option<Generation> {
        self.services.get(service).copied().max(self.forgotten)
    }

    /// How many services are remembered one by one.
    pub fn len(&self) -> usize {
        self.services.len()
    }

    /// Whether nothing was withdrawn.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.forgotten.is_none()
    }

    /// The services remembered one by one.
    pub(crate) fn services(&self) -> impl Iterator<Item = &ServiceId> {
        self.services.keys()
    }

    /// `service` was withdrawn at `generation`.
    pub(crate) fn note(&mut self, service: &ServiceId, generation: Generation) {
        let noted = self.services.entry(service.clone()).or_insert(generation);
        *noted = generation.max(*noted);
        if self.services.len() > MAX_WITHDRAWN {
            let oldest = self.services.iter().min_by_key(|(_, generation)| **generation);
            if let Some((service, generation)) = oldest.map(|(s, g)| (s.clone(), *g)) {
                self.services.remove(&service);
                self.forgotten = self.forgotten.max(Some(generation));
            }
        }
    }

    /// `service` is there again: its own generation is what counts.
    pub(crate) fn forget(&mut self, service: &ServiceId) {
        self.services.remove(service);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(number: usize) -> ServiceId {
        format!("demo/s{number}").parse().unwrap()
    }

    #[test]
    fn the_number_of_services_is_bounded_and_no_late_put_gets_through() {
        let mut withdrawn = Withdrawn::default();
        assert_eq!(withdrawn.until(&service(0)), None);
        for number in 0..3 * MAX_WITHDRAWN {
            withdrawn.note(&service(number), Generation(number as u64));
        }
        assert_eq!(withdrawn.len(), MAX_WITHDRAWN);
        for number in 0..3 * MAX_WITHDRAWN {
            assert!(withdrawn.until(&service(number)) >= Some(Generation(number as u64)), "{number}");
        }
        // What was never withdrawn may come with any generation that is higher than the forgotten ones.
        assert_eq!(withdrawn.until(&service(usize::MAX)), Some(Generation(2 * MAX_WITHDRAWN as u64 - 1)));
    }

    #[test]
    fn the_highest_generation_counts() {
        let mut withdrawn = Withdrawn::default();
        withdrawn.note(&service(0), Generation(5));
        withdrawn.note(&service(0), Generation(3));
        assert_eq!(withdrawn.until(&service(0)), Some(Generation(5)));
        withdrawn.forget(&service(0));
        assert!(withdrawn.is_empty());
    }
}
