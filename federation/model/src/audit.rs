//! Who changed what, and when. Part of the replicated state: every server tells the same story, and a snapshot keeps it.

use std::collections::VecDeque;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{ClusterId, Revision, ServerId, ServiceId, UnixMillis};
use crate::trust_domain::TrustDomain;

/// Changes kept of each kind: those that people ask about, and the coming and going of endpoints, which would push them out.
const KEPT: usize = 8_192;
/// Longest name of an operator that is kept, in bytes.
const MAX_NAME: usize = 128;

/// The name in an operator's certificate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Operator(String);

impl Operator {
    /// Takes the name that a verified certificate holds; what is longer than 128 bytes is cut.
    pub fn of_certificate(name: &str) -> Self {
        Self(name.chars().scan(0, take).collect())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn take(length: &mut usize, c: char) -> Option<char> {
    *length += c.len_utf8();
    (*length <= MAX_NAME).then_some(c)
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who made a change, by the certificate of the connection that asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// The agent of this cluster, or whoever joined as it.
    Agent(ClusterId),
    /// An operator.
    Operator(Operator),
    /// The servers themselves.
    Servers,
    /// An entry written by a version that did not say who asked.
    NotRecorded,
}

/// What was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// An agent announced its cluster, announced it otherwise, or came back.
    ClusterRegistered,
    /// A cluster's lease ran out.
    LeaseExpired {
        /// Whose.
        cluster: ClusterId,
    },
    /// A service is offered that was not.
    ExportAdded {
        /// Which.
        service: ServiceId,
    },
    /// An offer is another one.
    ExportChanged {
        /// Of which service.
        service: ServiceId,
    },
    /// Only who is ready behind an offer.
    EndpointsChanged {
        /// Of which service.
        service: ServiceId,
    },
    /// An offer was withdrawn.
    ExportRemoved {
        /// Of which service.
        service: ServiceId,
    },
    /// A bundle was published.
    BundlePublished {
        /// The domain that it may sign for.
        trust_domain: TrustDomain,
        /// Its sequence.
        sequence: u64,
    },
    /// The right to join once.
    TokenCreated {
        /// The cluster that may.
        cluster: ClusterId,
        /// When the right ends.
        expires: UnixMillis,
    },
    /// A cluster joined with its token.
    TokenRedeemed,
    /// Other VIP ranges.
    VipsConfigured,
    /// An operator did something to the servers.
    Operated(Operation),
}

/// What operators do to the servers themselves, beside the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// A backup was taken.
    BackupSaved,
    /// The catalogue was restored from a backup that was taken at this revision.
    Restored {
        /// The last entry in it.
        taken_at: Revision,
    },
    /// A server was added; it does not vote yet.
    MemberAdded(ServerId),
    /// A server votes now.
    MemberPromoted(ServerId),
    /// A server was removed.
    MemberRemoved(ServerId),
    /// Another server was asked to lead.
    LeadershipTransferred(ServerId),
}

impl Actor {
    /// Who, in words.
    pub fn name(&self) -> String {
        match self {
            Self::Agent(cluster) => format!("agent of {cluster}"),
            Self::Operator(name) => format!("operator {name}"),
            Self::Servers => "the servers".to_owned(),
            Self::NotRecorded => "not recorded".to_owned(),
        }
    }
}

impl Change {
    /// What was done: one of a closed set of words.
    pub fn action(&self) -> &'static str {
        match self {
            Self::ClusterRegistered => "cluster_registered",
            Self::LeaseExpired { .. } => "lease_expired",
            Self::ExportAdded { .. } => "export_added",
            Self::ExportChanged { .. } => "export_changed",
            Self::EndpointsChanged { .. } => "endpoints_changed",
            Self::ExportRemoved { .. } => "export_removed",
            Self::BundlePublished { .. } => "bundle_published",
            Self::TokenCreated { .. } => "token_created",
            Self::TokenRedeemed => "token_redeemed",
            Self::VipsConfigured => "vips_configured",
            Self::Operated(Operation::BackupSaved) => "backup_saved",
            Self::Operated(Operation::Restored { .. }) => "restored",
            Self::Operated(Operation::MemberAdded(_)) => "member_added",
            Self::Operated(Operation::MemberPromoted(_)) => "member_promoted",
            Self::Operated(Operation::MemberRemoved(_)) => "member_removed",
            Self::Operated(Operation::LeadershipTransferred(_)) => "leadership_transferred",
        }
    }

    /// What it was done to, as text; empty where the actor or the clusterset itself is meant.
    pub fn subject(&self) -> String {
        match self {
            Self::LeaseExpired { cluster } | Self::TokenCreated { cluster, .. } => cluster.to_string(),
            Self::ExportAdded { service }
            | Self::ExportChanged { service }
            | Self::EndpointsChanged { service }
            | Self::ExportRemoved { service } => service.to_string(),
            Self::BundlePublished { trust_domain, .. } => trust_domain.to_string(),
            Self::Operated(Operation::Restored { taken_at }) => format!("revision {taken_at}"),
            Self::Operated(
                Operation::MemberAdded(server)
                | Operation::MemberPromoted(server)
                | Operation::MemberRemoved(server)
                | Operation::LeadershipTransferred(server),
            ) => format!("server {server}"),
            Self::ClusterRegistered
            | Self::TokenRedeemed
            | Self::VipsConfigured
            | Self::Operated(Operation::BackupSaved) => String::new(),
        }
    }

    fn is_passing(&self) -> bool {
        matches!(self, Self::EndpointsChanged { .. })
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Counts every change of the clusterset, from 1.
    pub number: u64,
    /// The entry that made it.
    pub revision: Revision,
    /// The leader's clock.
    pub at: UnixMillis,
    /// By whom.
    pub actor: Actor,
    /// What.
    pub change: Change,
}

/// The last changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    last: u64,
    lasting: VecDeque<Record>,
    passing: VecDeque<Record>,
}

impl Audit {
    pub(crate) fn record(&mut self, revision: Revision, at: UnixMillis, actor: Actor, change: Change) {
        self.last = self.last.saturating_add(1);
        let ring = if change.is_passing() { &mut self.passing } else { &mut self.lasting };
        if ring.len() >= KEPT {
            ring.pop_front();
        }
        ring.push_back(Record { number: self.last, revision, at, actor, change });
    }

    /// The number of the last change; zero before any.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// What is kept of the changes after this number, in their order.
    pub fn after(&self, number: u64) -> impl Iterator<Item = &Record> {
        let mut rings = [&self.lasting, &self.passing]
            .map(|ring| ring.range(ring.partition_point(|record| record.number <= number)..).peekable());
        std::iter::from_fn(move || {
            let next = rings.iter_mut().filter_map(|ring| Some((ring.peek()?.number, ring)));
            next.min_by_key(|(number, _)| *number).and_then(|(_, ring)| ring.next())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(audit: &Audit, after: u64) -> Vec<u64> {
        audit.after(after).map(|record| record.number).collect()
    }

    fn record(audit: &mut Audit, change: Change) {
        audit.record(Revision(1), UnixMillis(1), Actor::Servers, change);
    }

    #[test]
    fn changes_are_read_in_their_order_from_where_one_was() {
        let mut audit = Audit::default();
        let endpoints = Change::EndpointsChanged { service: "demo/a".parse().unwrap() };
        for change in [Change::VipsConfigured, endpoints.clone(), Change::ClusterRegistered, endpoints] {
            record(&mut audit, change);
        }
        assert_eq!(numbers(&audit, 0), [1, 2, 3, 4]);
        assert_eq!(numbers(&audit, 2), [3, 4]);
        assert_eq!((numbers(&audit, 4), audit.last()), (vec![], 4));
    }

    #[test]
    fn endpoints_that_come_and_go_push_out_nothing_else() {
        let mut audit = Audit::default();
        record(&mut audit, Change::VipsConfigured);
        for _ in 0..2 * KEPT {
            record(&mut audit, Change::EndpointsChanged { service: "demo/a".parse().unwrap() });
        }
        assert_eq!(audit.after(0).count(), KEPT + 1);
        assert_eq!(numbers(&audit, 0).first(), Some(&1));
        for _ in 0..KEPT {
            record(&mut audit, Change::ClusterRegistered);
        }
        assert_eq!(audit.after(0).count(), 2 * KEPT);
    }

    #[test]
    fn names_of_operators_are_bounded_and_whole_characters() {
        assert_eq!(Operator::of_certificate("ann").as_str(), "ann");
        assert_eq!(Operator::of_certificate(&"é".repeat(100)).as_str(), "é".repeat(64));
    }
}
