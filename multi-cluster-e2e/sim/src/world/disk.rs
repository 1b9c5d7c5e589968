//! A disk that forgets what was not flushed when its server crashes.
//!
//! It keeps what the real one promises (`federation_raft::seams::Engine`) and no more: after a crash a prefix of the
//! writes is there, which holds everything before the last flush that ended. How long a prefix, chance decides.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use federation_raft::seams::{Disk, Engine, OpenError, Pair, Runner, Sectors, Tree, Write};
use federation_raft::{EngineError, Space};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::sectors::{Mark, Medium};
use crate::chance::Chance;

type Values = BTreeMap<(Tree, Vec<u8>), Vec<u8>>;

/// How fast a disk flushes, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed {
    /// At best.
    pub low: u64,
    /// At worst.
    pub high: u64,
}

impl Speed {
    /// An NVMe disk that has little else to do.
    pub const FAST: Self = Self { low: 100, high: 4_000 };
    /// One that is dying, or shared with somebody who does not care.
    pub const SLOW: Self = Self { low: 100_000, high: 2_500_000 };
}

/// What is on one server's disk. Cheap to clone; clones are the same disk.
#[derive(Debug, Clone)]
pub struct Platter(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    chance: Chance,
    speed: Speed,
    full: bool,
    /// The server that may write: those before it are dead.
    life: u64,
    marker: Option<String>,
    made: bool,
    medium: Medium,
    /// What a crash cannot take.
    safe: Values,
    /// What a reader sees.
    seen: Values,
    /// Between the two, oldest first.
    unsafe_writes: VecDeque<(Tree, Vec<Write>)>,
    /// Writes that were ever made safe.
    flushed: u64,
    /// Writes that crashes took.
    lost: u64,
}

impl Platter {
    /// An empty disk.
    #[must_use]
    pub fn new(chance: Chance) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            chance,
            speed: Speed::FAST,
            full: false,
            life: 0,
            marker: None,
            made: false,
            medium: Medium::default(),
            safe: Values::new(),
            seen: Values::new(),
            unsafe_writes: VecDeque::new(),
            flushed: 0,
            lost: 0,
        })))
    }

    /// From now on flushes take so long.
    pub fn set_speed(&self, speed: Speed) {
        self.lock().speed = speed;
    }

    /// Whoever has it open is dead from here on, and a suffix of what was not flushed is gone.
    pub fn crash(&self) {
        let inner = &mut *self.lock();
        inner.life += 1;
        let kept = inner.chance.number(0, inner.unsafe_writes.len() as u64);
        for _ in 0..kept {
            inner.settle_one();
        }
        inner.lost += inner.unsafe_writes.len() as u64;
        inner.unsafe_writes.clear();
        inner.seen = inner.safe.clone();
        inner.medium.crash(&inner.chance);
    }

    /// Whether there is room for more, from now on.
    pub fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    /// What a server measures of that.
    #[must_use]
    pub fn space(&self) -> Space {
        let platter = self.clone();
        Space::measured_by(1, move || Ok(u64::from(!platter.lock().full)))
    }

    /// Everything on it is gone.
    pub fn wipe(&self) {
        let inner = &mut *self.lock();
        inner.life += 1;
        inner.marker = None;
        inner.made = false;
        inner.medium = Medium::default();
        inner.safe.clear();
        inner.seen.clear();
        inner.unsafe_writes.clear();
    }

    /// Writes that crashes took so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lock().lost
    }

    /// For the server that starts now.
    #[must_use]
    pub fn plug(&self) -> Arc<Plugged> {
        let life = self.lock().life;
        Arc::new(Plugged { platter: self.clone(), life })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The oldest write becomes safe.
    fn settle_one(&mut self) {
        if let Some((tree, writes)) = self.unsafe_writes.pop_front() {
            put(&mut self.safe, tree, &writes);
            self.flushed += 1;
        }
    }

    fn settle_up_to(&mut self, upto: u64) {
        while self.flushed < upto && !self.unsafe_writes.is_empty() {
            self.settle_one();
        }
    }

    fn written(&self) -> u64 {
        self.flushed + self.unsafe_writes.len() as u64
    }
}

fn put(values: &mut Values, tree: Tree, writes: &[Write]) {
    for (key, value) in writes {
        let key = (tree, key.clone());
        match value {
            Some(value) => drop(values.insert(key, value.clone())),
            None => drop(values.remove(&key)),
        }
    }
}

/// A disk as one life of its server sees it.
#[derive(Debug, Clone)]
pub struct Plugged {
    platter: Platter,
    life: u64,
}

impl Plugged {
    /// The disk, unless this server is dead.
    fn alive(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let inner = self.platter.lock();
        if inner.life == self.life { Ok(inner) } else { Err(io::Error::other("this server has crashed")) }
    }

    fn engine(&self) -> Result<MutexGuard<'_, Inner>, EngineError> {
        self.alive().map_err(EngineError::io)
    }

    pub(super) fn medium<T>(&self, act: impl FnOnce(&mut Medium) -> io::Result<T>) -> io::Result<T> {
        act(&mut self.alive()?.medium)
    }
}

impl Disk for Plugged {
    fn path(&self) -> &Path {
        Path::new("simulated")
    }

    fn marker(&self) -> io::Result<Option<String>> {
        Ok(self.alive()?.marker.clone())
    }

    fn write_marker(&self, text: &str) -> io::Result<()> {
        self.alive()?.marker = Some(text.to_owned());
        Ok(())
    }

    fn has_engine(&self) -> bool {
        self.platter.lock().made
    }

    fn engine(&self) -> Result<Box<dyn Engine>, OpenError> {
        self.engine().map_err(OpenError::Engine)?.made = true;
        Ok(Box::new(self.clone()))
    }

    fn sectors(&self, create: bool) -> io::Result<Box<dyn Sectors>> {
        self.medium(|medium| medium.open(create))?;
        Ok(Box::new(Mark(self.clone())))
    }

    fn runner(&self) -> Runner {
        Runner::Runtime
    }
}

impl Engine for Plugged {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.engine()?.seen.get(&(tree, key.to_owned())).cloned())
    }

    fn range(
        &self,
        tree: Tree,
        from: &[u8],
        to: Option<&[u8]>,
    ) -> Box<dyn Iterator<Item = Result<Pair, EngineError>>> {
        let inner = match self.engine() {
            Ok(inner) => inner,
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        let found: Vec<_> = inner
            .seen
            .range((tree, from.to_owned())..)
            .take_while(|((other, key), _)| *other == tree && to.is_none_or(|to| key.as_slice() < to))
            .map(|((_, key), value)| Ok((key.clone(), value.clone())))
            .collect();
        Box::new(found.into_iter())
    }

    fn last(&self, tree: Tree) -> Result<Option<Pair>, EngineError> {
        let inner = self.engine()?;
        let last = inner.seen.iter().rfind(|((other, _), _)| *other == tree);
        Ok(last.map(|((_, key), value)| (key.clone(), value.clone())))
    }

    fn apply(&self, tree: Tree, writes: Vec<Write>) -> Result<(), EngineError> {
        let inner = &mut *self.engine()?;
        put(&mut inner.seen, tree, &writes);
        inner.unsafe_writes.push_back((tree, writes));
        Ok(())
    }

    fn flush_now(&self) -> Result<(), EngineError> {
        let inner = &mut *self.engine()?;
        let upto = inner.written();
        inner.settle_up_to(upto);
        Ok(())
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        async move {
            let (upto, wait) = {
                let inner = self.engine()?;
                let Speed { low, high } = inner.speed;
                (inner.written(), inner.chance.micros(low, high))
            };
            tokio::time::sleep(wait.max(Duration::from_micros(1))).await;
            self.engine()?.settle_up_to(upto);
            Ok(())
        }
        .boxed()
    }

    fn size_on_disk(&self) -> u64 {
        self.platter.lock().seen.values().map(|value| value.len() as u64).sum()
    }
}
