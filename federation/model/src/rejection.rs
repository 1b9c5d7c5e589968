//! Why a command changed nothing.

use serde::{Deserialize, Serialize};

use crate::ids::{ClusterId, Generation, ServiceId, SessionNumber, UnixMillis};
use crate::trust_domain::TrustDomain;

/// The reason of a refused command. A rejection is an answer, never a panic, and the same on every server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Rejection {
    /// The cluster never registered.
    #[error("cluster {cluster} has not registered")]
    UnknownCluster {
        /// The cluster named.
        cluster: ClusterId,
    },
    /// Another agent instance of this cluster is alive.
    #[error(
        "cluster {cluster} is held by another agent until {until}; stop that agent or wait for its lease to expire"
    )]
    HeldByAnother {
        /// The cluster.
        cluster: ClusterId,
        /// When the other's lease ends, unless renewed.
        until: UnixMillis,
    },
    /// A later publish stream speaks for the cluster.
    #[error(
        "a later publish stream speaks for cluster {cluster} (session {present}); check that one agent runs"
    )]
    Fenced {
        /// The cluster.
        cluster: ClusterId,
        /// The number of the session that is open.
        present: SessionNumber,
    },
    /// A newer generation is already there.
    #[error("generation {given} of {service} is older than {present}")]
    StaleGeneration {
        /// The service.
        service: ServiceId,
        /// The generation that came.
        given: Generation,
        /// The generation that is there.
        present: Generation,
    },
    /// The bundle is older than the one that is there.
    #[error("bundle sequence {given} of {trust_domain} is not newer than {present}")]
    StaleBundle {
        /// The domain.
        trust_domain: TrustDomain,
        /// The sequence that came.
        given: u64,
        /// The sequence that is there.
        present: u64,
    },
    /// The trust domain belongs to another cluster.
    #[error("trust domain {trust_domain} belongs to cluster {owner}")]
    TrustDomainTaken {
        /// The domain.
        trust_domain: TrustDomain,
        /// Its cluster.
        owner: ClusterId,
    },
    /// The cluster may publish only the bundle of its own trust domain.
    #[error("cluster {cluster} does not own trust domain {trust_domain}")]
    NotOwner {
        /// Who asked.
        cluster: ClusterId,
        /// The domain asked for.
        trust_domain: TrustDomain,
    },
    /// Every address of the configured VIP ranges is taken.
    #[error("the VIP range is exhausted; configure a larger one")]
    VipsExhausted,
    /// No token with that hash.
    #[error("the join token is not known to this clusterset")]
    UnknownToken,
    /// The token's time has passed.
    #[error("the join token expired at {at}")]
    TokenExpired {
        /// When.
        at: UnixMillis,
    },
    /// The token was used by another key.
    #[error("the join token was already used")]
    TokenUsed,
    /// The token was made for another cluster.
    #[error("the join token is for cluster {cluster}")]
    TokenForAnother {
        /// The cluster it is for.
        cluster: ClusterId,
    },
    /// A list is longer than its bound.
    #[error("{what}: {given} given, at most {max} allowed")]
    TooMany {
        /// Of what.
        what: String,
        /// How many came.
        given: u64,
        /// How many are allowed.
        max: u64,
    },
}

impl Rejection {
    /// A closed, stable word for metric labels.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnknownCluster { .. } => "unknown_cluster",
            Self::HeldByAnother { .. } => "held_by_another",
            Self::Fenced { .. } => "fenced",
            Self::StaleGeneration { .. } => "stale_generation",
            Self::StaleBundle { .. } => "stale_bundle",
            Self::TrustDomainTaken { .. } => "trust_domain_taken",
            Self::NotOwner { .. } => "not_owner",
            Self::VipsExhausted => "vips_exhausted",
            Self::UnknownToken => "unknown_token",
            Self::TokenExpired { .. } => "token_expired",
            Self::TokenUsed => "token_used",
            Self::TokenForAnother { .. } => "token_for_another",
            Self::TooMany { .. } => "too_many",
        }
    }
}
