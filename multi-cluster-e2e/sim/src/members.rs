//! Who the servers are, and an operator who changes that: one change after the other, each until it is done.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use federation_raft::{MembershipError, Node};
use tokio::sync::Notify;

use crate::invariants::Violation;
use crate::scene::Scene;

/// Servers that can be added to those of the beginning.
pub const SPARES: usize = 2;
/// There are never fewer: with one of them lost, a majority is left.
const FEWEST: usize = 3;
/// How long an operator waits for an answer: longer than a server takes to give one.
const PATIENCE: Duration = Duration::from_secs(12);

/// What the operator is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A server more, if there is a spare one.
    Add,
    /// A server loses its disk; it is removed, and added with an empty one.
    Replace(usize),
    /// A server less, if enough are left.
    Remove(usize),
    /// Another server leads.
    Transfer,
}

/// What a server is to the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seat {
    /// Never started.
    Spare,
    /// One of them, or about to be.
    Member,
    /// Removed, and stopped for good.
    Gone,
}

/// Who the servers are, and what is still to be changed. Servers are counted from zero.
pub struct Members {
    seats: Mutex<Vec<Seat>>,
    /// The first is under way.
    due: Mutex<VecDeque<Change>>,
    more: Notify,
}

impl Members {
    /// So many at the beginning.
    #[must_use]
    pub fn new(servers: usize) -> Self {
        let seats = (0..servers + SPARES).map(|at| if at < servers { Seat::Member } else { Seat::Spare });
        Self { seats: Mutex::new(seats.collect()), due: Mutex::default(), more: Notify::new() }
    }

    /// Those that there should be.
    #[must_use]
    pub fn present(&self) -> Vec<usize> {
        let seats = self.seats();
        (0..seats.len()).filter(|at| seats.get(*at) == Some(&Seat::Member)).collect()
    }

    /// One of them, whichever `number` stands for now.
    #[must_use]
    pub fn nth(&self, number: usize) -> usize {
        let present = self.present();
        present.get(number % present.len().max(1)).copied().unwrap_or(number)
    }

    /// The operator will do this, too.
    pub fn ask(&self, change: Change) {
        self.due().push_back(change);
        self.more.notify_one();
    }

    /// What is under way.
    #[must_use]
    pub fn under_way(&self) -> Option<Change> {
        self.due().front().cloned()
    }

    fn seats(&self) -> MutexGuard<'_, Vec<Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn due(&self) -> MutexGuard<'_, VecDeque<Change>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, number: usize, to: Seat) {
        if let Some(seat) = self.seats().get_mut(number) {
            *seat = to;
        }
    }

    fn take_spare(&self) -> Option<usize> {
        let number = self.seats().iter().position(|seat| *seat == Seat::Spare)?;
        self.set(number, Seat::Member);
        Some(number)
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members").field("present", &self.present()).finish_non_exhaustive()
    }
}

/// Makes all changes that are asked for, for ever.
///
/// # Errors
/// When a server does not start.
pub async fn operator(scene: &Scene) -> Result<Infallible, Violation> {
    loop {
        let Some(change) = scene.members.under_way() else {
            scene.members.more.notified().await;
            continue;
        };
        scene.oracle.note(format!("operator: {change:?}"));
        make(scene, &change).await?;
        scene.oracle.note(format!("operator: {change:?} is done"));
        scene.members.due().pop_front();
    }
}

async fn make(scene: &Scene, change: &Change) -> Result<(), Violation> {
    let present = scene.members.present();
    match *change {
        Change::Add => {
            if let Some(number) = scene.members.take_spare() {
                scene.start(number).await?;
                join(scene, number).await?;
            }
        }
        Change::Replace(number) if present.contains(&number) => {
            // Before there is a group, the loss of an empty disk is none.
            until(scene, number, "the group", async |_| Ok(())).await;
            scene.lose_disk(number).await;
            scene.start(number).await?;
            // Until somebody sees it.
            tokio::time::sleep(scene.chance.millis(0, 8_000)).await;
            leave(scene, number).await;
            join(scene, number).await?;
        }
        Change::Remove(number) if present.len() > FEWEST && present.contains(&number) => {
            leave(scene, number).await;
            scene.members.set(number, Seat::Gone);
            scene.crash(number).await;
        }
        Change::Replace(_) | Change::Remove(_) => {}
        Change::Transfer => {
            let nodes: Vec<Node> = scene.nodes().values().cloned().collect();
            if let Some(node) = scene.chance.pick(&nodes) {
                // As well as it can; a leader that fails is another fault's business.
                let _ = tokio::time::timeout(PATIENCE, node.transfer_leadership(None)).await;
            }
        }
    }
    Ok(())
}

async fn leave(scene: &Scene, number: usize) {
    let id = scene.server_id(number);
    until(scene, number, "its removal", async |node: Node| match node.remove(id).await {
        Ok(_) | Err(MembershipError::NotAMember(_)) => Ok(()),
        Err(error) => Err(error),
    })
    .await;
}

async fn join(scene: &Scene, number: usize) -> Result<(), Violation> {
    let (id, member) = (scene.server_id(number), scene.member(number));
    loop {
        let mut empty = true;
        until(scene, number, "its seat", async |node: Node| {
            match node.add_learner(id, member.clone()).await {
                // It was added by a leader that lost, and was sent something.
                Err(MembershipError::HasData { .. }) => {
                    empty = false;
                    Ok(())
                }
                // That addition was committed after all, when its disk was another one.
                Err(error @ MembershipError::IsMember(_)) => {
                    node.remove(id).await?;
                    Err(error)
                }
                Err(error) => Err(error),
                Ok(_) => node.promote(id).await.map(|_| ()),
            }
        })
        .await;
        if empty {
            return Ok(());
        }
        scene.lose_disk(number).await;
        scene.start(number).await?;
    }
}

/// Asks servers other than `number`, any of those that have a leader, until one says that it is done.
async fn until(
    scene: &Scene,
    number: usize,
    what: &str,
    mut ask: impl AsyncFnMut(Node) -> Result<(), MembershipError>,
) {
    loop {
        let others: Vec<Node> = scene
            .nodes()
            .iter()
            .filter(|(at, node)| **at != number && node.leadership().borrow().leader.is_some())
            .map(|(_, node)| node.clone())
            .collect();
        if let Some(node) = scene.chance.pick(&others) {
            match tokio::time::timeout(PATIENCE, ask(node)).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => {
                    scene.oracle.note(format!("operator: {what}, of server {}: {error}", number + 1));
                }
                Err(_) => scene.oracle.note(format!("operator: {what}: no answer")),
            }
        }
        tokio::time::sleep(scene.chance.millis(100, 600)).await;
    }
}
