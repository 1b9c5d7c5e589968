//! What may be asked of the replicated state. One Raft entry is one [`Batch`].

use serde::{Deserialize, Serialize};

use crate::audit::{Operation, Operator};
use crate::bundle::Bundle;
use crate::cluster::Gateway;
use crate::export::Export;
use crate::ids::{
    ClusterId, Generation, InstanceId, NetworkId, Region, ServiceId, SessionNumber, StreamId, UnixMillis,
    Zone,
};
use crate::token::{KeyHash, TokenHash};
use crate::trust_domain::TrustDomain;
use crate::vip::VipRanges;

/// Everything that one Raft entry does, at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The clusterset's time when the leader proposed the entry; `State::apply` lets it never go back.
    pub at: UnixMillis,
    /// The commands, in order. Each succeeds or is rejected by itself.
    pub commands: Vec<Command>,
}

/// One change. Who may ask for it is checked by the server, by the peer's certificate, before it is proposed; what
/// `apply` checks is what every replica must agree on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Sets the VIP ranges. Legal until the first VIP is given; afterwards it changes nothing that was given.
    Configure {
        /// The ranges to give from.
        vips: VipRanges,
    },
    /// An agent announces its cluster, or changes what it announced. Takes the lease if it is free. As it was written
    /// before there were sessions; refused once the cluster has one.
    RegisterCluster(Registration),
    /// An agent announces its cluster, or changes what it announced, in a publish stream. Takes the lease if it is free,
    /// and ends the session of every other stream of the cluster.
    OpenSession {
        /// Its number: higher than any before, or the present one and said again by the same stream.
        session: SessionNumber,
        /// The stream.
        stream: StreamId,
        /// Counts what this stream says of its cluster, so that an earlier word does not replace a later one.
        hello: u64,
        /// What it says.
        registration: Registration,
    },
    /// The agent is alive.
    RenewLease {
        /// Its cluster.
        cluster: ClusterId,
        /// Which agent.
        instance: InstanceId,
    },
    /// The leader noticed that leases are due. Expires every lease whose time has passed at the batch's time.
    ExpireLeases,
    /// Offers a service, or changes the offer.
    PutExport {
        /// Which agent publishes.
        instance: InstanceId,
        /// In which session.
        #[serde(default)]
        session: SessionNumber,
        /// The offer; `first_seen` is ignored.
        export: Box<Export>,
    },
    /// Withdraws an offer.
    RemoveExport {
        /// Whose.
        cluster: ClusterId,
        /// Which agent publishes.
        instance: InstanceId,
        /// In which session.
        #[serde(default)]
        session: SessionNumber,
        /// Of what.
        service: ServiceId,
        /// The exporter's counter: a put of a higher generation is not undone.
        generation: Generation,
    },
    /// Publishes the CAs of a cluster's own trust domain.
    PutBundle {
        /// Whose.
        cluster: ClusterId,
        /// Which agent publishes.
        instance: InstanceId,
        /// In which session.
        #[serde(default)]
        session: SessionNumber,
        /// The bundle.
        bundle: Bundle,
    },
    /// Makes a join token.
    CreateToken {
        /// Hash of its secret.
        hash: TokenHash,
        /// The cluster that may join with it.
        cluster: ClusterId,
        /// When it becomes worthless.
        expires: UnixMillis,
        /// Who makes it; absent in entries of versions that did not say.
        #[serde(default)]
        by: Option<Operator>,
    },
    /// Uses a join token.
    RedeemToken {
        /// Hash of the secret presented.
        hash: TokenHash,
        /// The cluster that the joiner claims to be.
        cluster: ClusterId,
        /// The joiner's key.
        key: KeyHash,
    },
    /// An operator did something to the servers: changes nothing but the audit.
    Operated {
        /// Who.
        by: Operator,
        /// What.
        operation: Operation,
    },
}

impl Command {
    /// The cluster whose agent asks for it; nobody's where an operator, a joiner or a server asks.
    pub fn agent_of(&self) -> Option<&ClusterId> {
        match self {
            Self::RegisterCluster(registration) | Self::OpenSession { registration, .. } => {
                Some(&registration.cluster)
            }
            Self::PutExport { export, .. } => Some(&export.cluster),
            Self::RenewLease { cluster, .. }
            | Self::RemoveExport { cluster, .. }
            | Self::PutBundle { cluster, .. } => Some(cluster),
            _ => None,
        }
    }
}

/// What an agent says of its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The cluster.
    pub cluster: ClusterId,
    /// Which agent speaks.
    pub instance: InstanceId,
    /// The network of its endpoints.
    pub network: NetworkId,
    /// Its region.
    pub region: Option<Region>,
    /// Its zone.
    pub zone: Option<Zone>,
    /// The domain of its workloads.
    pub trust_domain: TrustDomain,
    /// Its gateways, as others dial them.
    pub gateways: Vec<Gateway>,
}
