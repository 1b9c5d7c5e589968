//! The Raft log and the vote, on disk.

use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};
use std::time::Duration;

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{ErrorSubject, ErrorVerb, LogState, OptionalSend, RaftLogReader};
use tokio::time::Instant;

use super::codec::{decode, encode};
use federation_model::{Revision, ServerId};

use super::db::Db;
use super::error::StoreError;
use super::flush::Reached;
use super::recent::Recent;
use crate::planted::Bug;
use crate::types::{Entry, LogId, StorageError, TypeConfig, Vote, node_id};

pub(super) const VOTE: &str = "vote";
const COMMITTED: &str = "committed";
pub(super) const PURGED: &str = "purged";

/// A lagging follower gets at most this much, in encoded bytes, with one message, unless one entry is larger.
const READ_BYTES: usize = 1024 * 1024;
/// How often what is committed is written down.
const COMMITTED_EVERY: Duration = Duration::from_secs(1);

/// The log of one server. openraft calls it from one task; readers are clones.
#[derive(Debug, Clone)]
pub(crate) struct LogStore {
    db: Db,
    me: u64,
    vote: Option<Vote>,
    last_at_open: Option<u64>,
    recent: Recent,
    committed_saved: Option<Instant>,
}

impl LogStore {
    /// Takes the log of an open directory, and finishes a purge that a crash cut short.
    pub(crate) fn open(db: Db, me: ServerId) -> Result<Self, StoreError> {
        let vote: Option<Vote> = db.get(VOTE)?;
        let me = node_id(me);
        let mut this = Self {
            db,
            me,
            vote: vote.map(|vote| as_follower(vote, me)),
            last_at_open: None,
            recent: Recent::default(),
            committed_saved: None,
        };
        let purged = this.purged()?;
        if let Some(purged) = purged {
            this.db.remove(0, purged.index.checked_add(1))?;
        }
        let last = this.read_all(purged)?;
        this.db.check(vote, last)?;
        this.last_at_open = last;
        Ok(this)
    }

    /// The last entry when the log was opened; zero if it was empty.
    pub(super) fn last_at_open(&self) -> Revision {
        Revision(self.last_at_open.unwrap_or(0))
    }

    /// Reads every entry once, and gives back the last index: whatever cannot be read is found before it is needed.
    fn read_all(&self, purged: Option<LogId>) -> Result<Option<u64>, StoreError> {
        let mut last = purged.map(|purged| purged.index);
        for found in self.db.entries(0, None) {
            let (key, bytes) = found?;
            let expected = last.map_or(0, |last| last.saturating_add(1));
            if key != expected {
                return Err(self
                    .db
                    .damaged(format!("entries {expected} to {} of its log", key.saturating_sub(1))));
            }
            decode_entry(key, &bytes)?;
            last = Some(key);
        }
        Ok(last)
    }

    pub(crate) fn purged(&self) -> Result<Option<LogId>, StoreError> {
        self.db.get(PURGED)
    }

    fn read(&self, start: u64, end: Option<u64>, budget: usize) -> Result<Vec<Entry>, StoreError> {
        if let Some(entries) = self.recent.get(start, end, budget) {
            return Ok(entries);
        }
        let mut entries = Vec::new();
        let mut size = 0usize;
        for found in self.db.entries(start, end) {
            let (key, bytes) = found?;
            size = size.saturating_add(bytes.len());
            if size > budget && !entries.is_empty() {
                break;
            }
            entries.push(decode_entry(key, &bytes)?);
        }
        Ok(entries)
    }

    /// Whether this server leads, and the entry is its own of this term. What a former leader of the same name wrote, in
    /// an earlier life, comes from another leader now.
    fn leads(&self, log_id: &LogId) -> bool {
        self.vote.is_some_and(|vote| vote.committed && vote.leader_id == log_id.leader_id)
            && log_id.leader_id.node_id == self.me
    }

    fn state(&self) -> Result<LogState<TypeConfig>, StoreError> {
        let last_purged_log_id = self.purged()?;
        let last = self.db.last_entry()?;
        let last = last.map(|(key, bytes)| decode_entry(key, &bytes)).transpose()?;
        let last_log_id = last.map(|entry| entry.log_id).max(last_purged_log_id);
        Ok(LogState { last_purged_log_id, last_log_id })
    }
}

/// What a vote is worth to a server that starts anew: one that led does not lead any more.
///
/// openraft would take up where it was. But a crash may have taken entries from the end of the log that followers have on
/// disk already (`durable.rs`), and a leader that went on in the same term would write others under the same ids. On
/// disk the vote stays as it is; to forget that it was elected is no more than to be a follower that voted for itself.
fn as_follower(vote: Vote, me: u64) -> Vote {
    let led = vote.committed && vote.leader_id.node_id == me;
    if led { Vote { committed: false, ..vote } } else { vote }
}

fn decode_entry(key: u64, bytes: &[u8]) -> Result<Entry, StoreError> {
    let entry: Entry =
        decode(bytes).map_err(|source| StoreError::Corrupt { what: format!("log entry {key}"), source })?;
    if entry.log_id.index == key {
        Ok(entry)
    } else {
        Err(StoreError::Misplaced { key, found: entry.log_id.index })
    }
}

fn logs(verb: ErrorVerb) -> impl FnOnce(StoreError) -> StorageError {
    move |error| error.into_storage(ErrorSubject::Logs, verb)
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, StorageError> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(end) => end.checked_add(1),
            Bound::Excluded(end) => Some(*end),
            Bound::Unbounded => None,
        };
        self.read(start, end, usize::MAX).map_err(logs(ErrorVerb::Read))
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, StorageError> {
        self.read(start, Some(end), READ_BYTES).map_err(logs(ErrorVerb::Read))
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError> {
        self.state().map_err(logs(ErrorVerb::Read))
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        let failed = |error: StoreError| error.into_storage(ErrorSubject::Vote, ErrorVerb::Write);
        if !self.db.has(Bug::VoteNotWritten) {
            self.db.put(VOTE, vote).map_err(failed)?;
        }
        self.vote = Some(*vote);
        let reached = if self.db.has(Bug::VoteNotWritten) { Reached::Same } else { Reached::Vote(*vote) };
        self.db.flush_reaching(reached).await.map_err(failed)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        Ok(self.vote)
    }

    /// Not flushed, and not each time, since each is one more wait for the disk: what is committed is found again by Raft;
    /// this only lets a restarted server serve it at once.
    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), StorageError> {
        let now = Instant::now();
        if self.committed_saved.is_some_and(|saved| now < saved + COMMITTED_EVERY) {
            return Ok(());
        }
        self.committed_saved = Some(now);
        self.db.put(COMMITTED, &committed).map_err(logs(ErrorVerb::Write))
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, StorageError> {
        let committed: Option<Option<LogId>> = self.db.get(COMMITTED).map_err(logs(ErrorVerb::Read))?;
        Ok(committed.flatten())
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<TypeConfig>) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            callback.log_io_completed(Ok(()));
            return Ok(());
        };
        let (first, last) = (first.log_id.index, last.log_id);
        let encoded: Result<Vec<_>, StoreError> = entries
            .iter()
            .map(|entry| {
                let bytes = encode(entry);
                let bytes = bytes.map_err(|source| StoreError::Encode { what: "log entry", source })?;
                Ok((entry.log_id.index, bytes))
            })
            .collect();
        let encoded = encoded.map_err(logs(ErrorVerb::Write))?;
        let sizes: Vec<usize> = encoded.iter().map(|(_, bytes)| bytes.len()).collect();
        self.db.append(encoded).map_err(logs(ErrorVerb::Write))?;
        for (entry, bytes) in entries.into_iter().zip(sizes) {
            self.recent.push(entry, bytes);
        }
        if self.db.has(Bug::FollowerAcknowledgesEarly) && !self.leads(&last) {
            callback.log_io_completed(Ok(()));
        } else if self.leads(&last) {
            // The followers hear of it meanwhile; nothing comes of it before it is on disk here too (`durable.rs`).
            self.db.flush_entries(first, last.index).map_err(logs(ErrorVerb::Write))?;
            callback.log_io_completed(Ok(()));
        } else {
            // One flush for the whole append, and only then the callback: an acknowledged entry is on disk.
            let flushed = self.db.flush_reaching(Reached::Last(last.index)).await;
            callback.log_io_completed(flushed.map_err(StoreError::into_io));
        }
        Ok(())
    }

    /// The mark goes back first: an end of the log that is given up is no damage.
    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        self.recent.truncate(log_id.index);
        let kept = Reached::Last(log_id.index.saturating_sub(1));
        self.db.flush_reaching(kept).await.map_err(logs(ErrorVerb::Delete))?;
        self.db.remove(log_id.index, None).map_err(logs(ErrorVerb::Delete))?;
        self.db.flush().await.map_err(logs(ErrorVerb::Delete))
    }

    /// The purged id is written before the entries go: a crash in between is finished by `open`.
    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        self.recent.purge(log_id.index);
        self.db.put(PURGED, &log_id).map_err(logs(ErrorVerb::Write))?;
        self.db.remove(0, log_id.index.checked_add(1)).map_err(logs(ErrorVerb::Delete))?;
        self.db.flush().await.map_err(logs(ErrorVerb::Delete))
    }
}
