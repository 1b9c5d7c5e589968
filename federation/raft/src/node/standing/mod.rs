//! Whether this server takes part in Raft. One with an empty data directory asks the others first: it may be new, or the
//! first, or a voter that has lost its data and must not vote again. See `docs/design/membership.md`.

mod decide;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use federation_model::ServerId;
use futures::future::join_all;
use openraft::error::{InitializeError, RaftError};
use tokio::sync::{Notify, watch};

use self::decide::{Verdict, decide};
use super::config::{RaftFailure, StartError};
use crate::peer::client::Network;
use crate::peer::wire::About;
use crate::planted::Bug;
use crate::types::{Member, Raft, Seat, StoreId, node_id};

/// How long another server may take to say what it has.
const ANSWER: Duration = Duration::from_secs(1);
/// How often the others are asked.
const AGAIN: Duration = Duration::from_millis(500);
/// Least time between two rounds, however often somebody wants one.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a call of Raft's may wait for the decision.
const ADMIT: Duration = Duration::from_millis(250);

/// Whether a server takes part in the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Member,
    /// Not yet.
    Waiting(Waiting),
    /// It has a place in the group, and its data directory is not the one that the group knows: what that one held is
    /// lost. It does not take part until it was removed and added again.
    Lost,
}

/// What a server without data waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// The others were not asked yet.
    Asking,
    /// This server founds the group, once these are there with nothing in their data directories.
    Answers(BTreeSet<ServerId>),
    /// This one founds the group.
    Founder(ServerId),
    /// This one is configured with other founders, and none of its list is better than another.
    OtherFounders(ServerId),
    /// There is a group, or will be one, and this server is not in it.
    ToBeAdded,
}

impl Standing {
    /// One word for it, for a page or a metric.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Waiting(_) => "waiting",
            Self::Lost => "data_lost",
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member => f.write_str("it takes part"),
            Self::Waiting(Waiting::Asking) => f.write_str("it asks the other servers whether there is a group"),
            Self::Waiting(Waiting::Answers(missing)) => {
                let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
                write!(f, "it founds the group once it hears from server {}", missing.join(", "))
            }
            Self::Waiting(Waiting::Founder(founder)) => write!(f, "it waits for server {founder} to found the group"),
            Self::Waiting(Waiting::OtherFounders(other)) => {
                write!(f, "server {other} is configured with other members; give all the same list")
            }
            Self::Waiting(Waiting::ToBeAdded) => f.write_str("it waits to be added: isthmus members add"),
            Self::Lost => f.write_str(
                "the data of this server is lost, and it does not take part; run isthmus members remove for it, \
                 and then isthmus members add",
            ),
        }
    }
}

/// What this server says of itself, and whether Raft's calls reach it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    store: StoreId,
    founders: Arc<BTreeSet<ServerId>>,
    standing: watch::Sender<Standing>,
    wanted: Arc<Notify>,
}

impl Gate {
    /// Open from the start for a server that has data; `founders` are empty for one that never founds a group.
    pub(super) async fn new(
        raft: &Raft,
        store: StoreId,
        founders: BTreeSet<ServerId>,
    ) -> Result<Self, StartError> {
        let standing = if raft.is_initialized().await.map_err(stopped)? {
            Standing::Member
        } else {
            Standing::Waiting(Waiting::Asking)
        };
        let standing = watch::Sender::new(standing);
        Ok(Self { store, founders: Arc::new(founders), standing, wanted: Arc::default() })
    }

    /// As a thing to wait on.
    pub(super) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Lets a call of Raft's through, or says why not. Whoever calls may know that there is a group now, so the others are
    /// asked again.
    pub(crate) async fn admitted(&self) -> Result<(), Standing> {
        let mut standing = self.standing.subscribe();
        if *standing.borrow() == Standing::Member {
            return Ok(());
        }
        self.wanted.notify_one();
        match tokio::time::timeout(ADMIT, standing.wait_for(|seen| *seen == Standing::Member)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(self.standing.borrow().clone()),
        }
    }

    /// What this server has, for those that ask.
    pub(crate) async fn about(&self, raft: &Raft) -> Option<About> {
        let pristine = !raft.is_initialized().await.ok()?;
        let membership = Arc::clone(&raft.metrics().borrow().membership_config);
        Some(About {
            store: self.store,
            pristine,
            founders: (*self.founders).clone(),
            membership_at: *membership.log_id(),
            seats: membership.nodes().map(|(id, seat)| (*id, seat.clone())).collect(),
        })
    }

    /// Asks the others until it is known what to do, and does it.
    pub(super) async fn settle(self, raft: Raft, network: Network) -> Result<(), StartError> {
        while *self.standing.borrow() != Standing::Member {
            let Some(own) = self.about(&raft).await else { return Ok(()) };
            let standing = match decide(network.me, &own, &ask(&network).await) {
                Verdict::Found(stores) => {
                    found(&raft, network.configured(), &stores).await?;
                    Standing::Member
                }
                Verdict::Stand(Standing::Lost) if network.planted().has(Bug::LostDataTakesPart) => {
                    Standing::Member
                }
                Verdict::Stand(standing) => standing,
            };
            self.become_(standing);
            tokio::time::sleep(PAUSE).await;
            // Earlier, if another server calls.
            let _ = tokio::time::timeout(AGAIN, self.wanted.notified()).await;
        }
        Ok(())
    }

    fn become_(&self, next: Standing) {
        self.standing.send_if_modified(|present| {
            if *present == next {
                return false;
            }
            match &next {
                Standing::Lost => tracing::error!(standing = %next, "this server has lost its data"),
                Standing::Member => tracing::info!("this server takes part"),
                Standing::Waiting(_) => {
                    tracing::info!(standing = %next, "this server does not take part yet")
                }
            }
            *present = next;
            true
        });
    }
}

async fn ask(network: &Network) -> BTreeMap<ServerId, About> {
    let others = network.configured().keys().copied().filter(|id| *id != network.me);
    let asked = others.map(|id| async move { Some((id, network.about(id, None, ANSWER).await.ok()?)) });
    join_all(asked).await.into_iter().flatten().collect()
}

async fn found(
    raft: &Raft,
    members: &BTreeMap<ServerId, Member>,
    stores: &BTreeMap<ServerId, StoreId>,
) -> Result<(), StartError> {
    let seat = |(id, store): (&ServerId, &StoreId)| {
        let member = members.get(id).cloned().unwrap_or_default();
        (node_id(*id), Seat::founding(member, Some(*store)))
    };
    let seats: BTreeMap<u64, Seat> = stores.iter().map(seat).collect();
    tracing::info!(servers = ?stores.keys().collect::<Vec<_>>(), "founding the group");
    match raft.initialize(seats).await {
        // Not allowed: it was founded before.
        Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
        Err(error) => Err(stopped(error)),
    }
}

fn stopped(error: impl fmt::Display) -> StartError {
    StartError::Raft(RaftFailure(error.to_string()))
}
