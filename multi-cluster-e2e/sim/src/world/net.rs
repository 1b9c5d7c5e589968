//! The network: between any two ends a link in each direction, which delays, loses, repeats and can be cut.
//!
//! Calls between servers are single messages, so that they also overtake each other. Agents' connections are streams of
//! bytes, as TCP's are: what is lost there is only late, and a cut link holds everything back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use federation_model::ServerId;
use federation_raft::Member;
use federation_raft::seams::{Call, NoAnswer, PeerPort, Transport};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{oneshot, watch};

use crate::chance::Chance;

/// Who can be at an end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// A server.
    Server(u64),
    /// The agents of a cluster.
    Cluster(usize),
}

/// What the links are like that are not cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// Of a thousand messages.
    pub lost: u64,
    /// Of a thousand messages.
    pub repeated: u64,
    /// Shortest and longest way, in microseconds.
    pub delay: (u64, u64),
}

impl Weather {
    /// A quiet data centre.
    pub const CALM: Self = Self { lost: 0, repeated: 0, delay: (50, 2_000) };
}

/// Cheap to clone; clones are the same network.
#[derive(Clone)]
pub struct Net(Arc<Inner>);

struct Inner {
    chance: Chance,
    state: Mutex<State>,
    /// Counts changes of what is cut, for streams that wait.
    changed: watch::Sender<u64>,
}

struct State {
    weather: Weather,
    cut: BTreeSet<(End, End)>,
    ports: BTreeMap<u64, (u64, PeerPort)>,
    counts: Counts,
}

/// What happened to messages between servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sent.
    pub sent: u64,
    /// Lost on the way, there or back.
    pub lost: u64,
    /// That arrived twice.
    pub repeated: u64,
}

impl Net {
    /// Everybody reaches everybody.
    #[must_use]
    pub fn new(chance: Chance) -> Self {
        let state = State {
            weather: Weather::CALM,
            cut: BTreeSet::new(),
            ports: BTreeMap::new(),
            counts: Counts::default(),
        };
        Self(Arc::new(Inner { chance, state: Mutex::new(state), changed: watch::Sender::new(0) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets loss, repetition and delay of all links.
    pub fn set_weather(&self, weather: Weather) {
        self.state().weather = weather;
    }

    /// Nothing gets from `from` to `to` any more.
    pub fn cut(&self, from: End, to: End) {
        self.state().cut.insert((from, to));
        self.0.changed.send_modify(|count| *count += 1);
    }

    /// Everything gets from `from` to `to` again.
    pub fn mend(&self, from: End, to: End) {
        self.state().cut.remove(&(from, to));
        self.0.changed.send_modify(|count| *count += 1);
    }

    /// Mends every link, and calms the weather.
    pub fn heal(&self) {
        let mut state = self.state();
        state.cut.clear();
        state.weather = Weather::CALM;
        drop(state);
        self.0.changed.send_modify(|count| *count += 1);
    }

    /// What happened to messages.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Calls to `server` reach this life of it from now on.
    pub fn listen(&self, server: u64, life: u64, port: PeerPort) {
        self.state().ports.insert(server, (life, port));
    }

    /// Nobody answers for `server` any more.
    pub fn close(&self, server: u64) {
        self.state().ports.remove(&server);
    }

    /// How `server` calls the others for as long as `alive` says so.
    #[must_use]
    pub fn transport(&self, server: u64, alive: watch::Receiver<bool>) -> Arc<dyn Transport> {
        Arc::new(Caller { net: self.clone(), from: server, alive })
    }

    /// Waits until bytes may pass from `from` to `to`, then how long they take.
    pub async fn pass(&self, from: End, to: End) {
        let mut changed = self.0.changed.subscribe();
        while self.state().cut.contains(&(from, to)) {
            if changed.changed().await.is_err() {
                return;
            }
        }
        let (low, high) = self.state().weather.delay;
        tokio::time::sleep(self.0.chance.micros(low, high)).await;
    }

    /// Whether one message gets there, how often, and when.
    fn fates(&self, from: End, to: End) -> Vec<Duration> {
        let chance = &self.0.chance;
        let mut state = self.state();
        let weather = state.weather;
        state.counts.sent += 1;
        if state.cut.contains(&(from, to)) || chance.permille(weather.lost) {
            state.counts.lost += 1;
            return Vec::new();
        }
        let (low, high) = weather.delay;
        let mut fates = vec![chance.micros(low, high)];
        if chance.permille(weather.repeated) {
            state.counts.repeated += 1;
            // The second comes any time, also long after everybody has forgotten the first.
            fates.push(chance.micros(low, high * 20));
        }
        fates
    }

    fn port(&self, server: u64) -> Option<PeerPort> {
        self.state().ports.get(&server).map(|(_, port)| port.clone())
    }

    async fn deliver(
        self,
        from: u64,
        to: u64,
        call: Call,
        payload: Arc<[u8]>,
        after: Duration,
    ) -> Option<Vec<u8>> {
        tokio::time::sleep(after).await;
        let port = self.port(to)?;
        let answer = port.answer(call, &payload).await.ok()?;
        let back = self.fates(End::Server(to), End::Server(from)).first().copied()?;
        tokio::time::sleep(back).await;
        Some(answer)
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net").finish_non_exhaustive()
    }
}

/// One life of a server, calling.
struct Caller {
    net: Net,
    from: u64,
    alive: watch::Receiver<bool>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Transport for Caller {
    fn call<'a>(
        &'a self,
        target: ServerId,
        _known: Option<&'a Member>,
        call: Call,
        payload: Vec<u8>,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Vec<u8>, NoAnswer>> {
        async move {
            let refused = || NoAnswer::Failed("connection refused".into());
            if !*self.alive.borrow() {
                return Err(refused());
            }
            let (from, to) = (End::Server(self.from), End::Server(target.0));
            let fates = self.net.fates(from, to);
            if !fates.is_empty() && self.net.port(target.0).is_none() {
                return Err(refused());
            }
            let payload: Arc<[u8]> = payload.into();
            let (say, said) = oneshot::channel();
            let mut say = Some(say);
            for after in fates {
                let delivered =
                    self.net.clone().deliver(self.from, target.0, call, Arc::clone(&payload), after);
                let say = say.take();
                // Nobody stops a message that is on its way, and nobody hears of one that is lost.
                tokio::spawn(async move {
                    if let (Some(answer), Some(say)) = (delivered.await, say) {
                        // The caller may have given up.
                        let _ = say.send(answer);
                    }
                });
            }
            let answer = tokio::time::timeout(limit, async {
                match said.await {
                    Ok(answer) => answer,
                    Err(_) => std::future::pending().await,
                }
            });
            let answer = answer.await;
            if !*self.alive.borrow() {
                return Err(refused());
            }
            answer.map_err(|_| NoAnswer::Timeout(limit))
        }
        .boxed()
    }
}
