//! What the store needs of a disk, and of the storage engine on it. Nothing else of this crate names sled or a path.
//!
//! The real ones are [`Directory`] and the engine that it opens. A simulation brings its own, and everything above
//! (log, votes, snapshots, what counts as durable, what counts as damage) is the same code over either.

mod directory;
mod sled;

use std::fmt::Debug;
use std::io;
use std::path::Path;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};

pub use self::sled::EngineError;

pub(crate) use self::directory::Directory;

/// The trees of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tree {
    /// Vote, committed and purged log ids, identity.
    Meta,
    /// Entries by big-endian index.
    Log,
    /// The last snapshot.
    Snapshot,
}

/// A key, and its new value; none takes the key away.
pub type Write = (Vec<u8>, Option<Vec<u8>>);
/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Ordered trees of bytes.
///
/// Every call of [`Engine::apply`] is written in the order in which it is made, whichever its tree, and as a whole or
/// not at all. A crash keeps a prefix of that order; a flush makes everything before it durable.
pub trait Engine: Debug + Send + Sync {
    /// One value.
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;

    /// What is there from `from` to before `to`, or to the end, in order. Nothing, where `to` is before `from`.
    fn range(
        &self,
        tree: Tree,
        from: &[u8],
        to: Option<&[u8]>,
    ) -> Box<dyn Iterator<Item = Result<Pair, EngineError>>>;

    /// The last key and its value.
    fn last(&self, tree: Tree) -> Result<Option<Pair>, EngineError>;

    /// Makes several writes as one, without flushing.
    fn apply(&self, tree: Tree, writes: Vec<Write>) -> Result<(), EngineError>;

    /// Makes everything that was applied before durable, and blocks meanwhile.
    fn flush_now(&self) -> Result<(), EngineError>;

    /// The same, for whoever has a runtime to wait on.
    fn flush(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        ready(self.flush_now()).boxed()
    }

    /// Bytes on disk.
    fn size_on_disk(&self) -> u64;
}

/// A small file that is written in place.
pub trait Sectors: Debug + Send + Sync {
    /// Fills `bytes` from `offset` on; an error where the file is shorter.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes `bytes` at `offset`. They are durable once [`Sectors::sync`] has ended.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes everything that was written durable.
    fn sync(&self) -> io::Result<()>;
}

/// Where a server keeps what it must not forget.
pub trait Disk: Debug + Send + Sync {
    /// How it is called in errors.
    fn path(&self) -> &Path;

    /// The text that names its owner, if it ever had one.
    fn marker(&self) -> io::Result<Option<String>>;

    /// Names the owner, durably.
    fn write_marker(&self, text: &str) -> io::Result<()>;

    /// Whether there is an engine to open.
    fn has_engine(&self) -> bool;

    /// Opens the engine, or makes a new one.
    fn engine(&self) -> Result<Box<dyn Engine>, OpenError>;

    /// Opens the file of [`Sectors`], or makes it if `create`.
    fn sectors(&self, create: bool) -> io::Result<Box<dyn Sectors>>;

    /// On what the store works beside its callers.
    fn runner(&self) -> Runner;
}

/// Why an engine cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else has it open.
    #[error("it is in use")]
    InUse,
    /// The engine itself finds that its files are not what it has written.
    #[error("it is damaged")]
    Damaged,
    /// Anything else.
    #[error(transparent)]
    Engine(EngineError),
}

/// On what the store does its work: flushing, and encoding snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    /// A thread for each store that flushes, and the runtime's blocking threads.
    Threads,
    /// The runtime of whoever opens the store, and nothing else: for a simulation, which has one thread and one order.
    Runtime,
}

impl Runner {
    /// Does `work`, which takes long, and waits for it.
    pub(crate) async fn beside<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> T {
        match self {
            Self::Runtime => work(),
            Self::Threads => {
                let done = tokio::task::spawn_blocking(work).await;
                done.unwrap_or_else(|join| std::panic::resume_unwind(join.into_panic()))
            }
        }
    }
}
