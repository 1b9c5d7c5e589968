//! What the log on disk is known to reach: a small file beside the engine, so that the engine cannot lose the end of the
//! log without anybody noticing.
//!
//! The engine takes whatever it cannot read for the end of an unfinished write, and goes on with what lies before. After
//! a power cut that is right. After damage it loses entries that were acknowledged, and perhaps a vote, without a word;
//! a server that started then could undo what a majority has agreed on. The mark is written once a flush has ended, so
//! it never promises too much. It is synced once a second: a power cut may take it back that far.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

use super::engine::Sectors;
use crate::types::Vote;

/// Two slots in turn, each in a sector of its own: one is whole whatever happens to the other.
const SLOT: u64 = 512;
/// Sequence, term, voter, whether committed, last index; then a checksum of these.
const LENGTH: usize = 8 * 4 + 1;
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What was on disk when it was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// The last vote.
    pub(super) vote: Vote,
    /// The last entry of the log; zero for none.
    pub(super) last: u64,
}

/// The file, open.
#[derive(Debug)]
pub(super) struct MarkFile {
    file: Box<dyn Sectors>,
    sequence: u64,
    mark: Mark,
    synced: Option<Instant>,
}

impl MarkFile {
    /// Reads `file`; begins it if `create`.
    pub(super) fn open(file: Box<dyn Sectors>, create: bool) -> io::Result<Self> {
        let read = |slot: u64| {
            let mut bytes = [0; LENGTH + 4];
            // Shorter at first.
            file.read_at(&mut bytes, slot * SLOT).ok().and_then(|()| decode(&bytes))
        };
        let found = [read(0), read(1)].into_iter().flatten().max_by_key(|(sequence, _)| *sequence);
        let (sequence, mark) = match found {
            Some(found) => found,
            None if create => {
                let nothing = Mark::default();
                file.write_at(&encode(0, &nothing), 0)?;
                file.sync()?;
                (0, nothing)
            }
            None => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "neither of its two records is whole",
                ));
            }
        };
        Ok(Self { file, sequence, mark, synced: None })
    }

    /// What it says.
    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    /// Writes another, and syncs it if the last time is long ago, or it `takes_back` what was said.
    pub(super) fn write(&mut self, mark: Mark) -> io::Result<()> {
        let takes_back = mark.last < self.mark.last;
        if mark != self.mark {
            self.sequence += 1;
            self.mark = mark;
            self.file.write_at(&encode(self.sequence, &mark), (self.sequence % 2) * SLOT)?;
        }
        if takes_back || self.synced.is_none_or(|synced| synced.elapsed() >= SYNC_EVERY) {
            self.sync()?;
        }
        Ok(())
    }

    /// Makes what was written durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.synced = Some(Instant::now());
        self.file.sync()
    }
}

fn encode(sequence: u64, mark: &Mark) -> Vec<u8> {
    let Vote { leader_id, committed } = mark.vote;
    let numbers = [sequence, leader_id.term, leader_id.node_id, mark.last];
    let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
    bytes.push(committed.into());
    let checksum = crc32fast::hash(&bytes);
    bytes.extend(checksum.to_be_bytes());
    bytes
}

/// The sequence and the mark; none for what was not written by [`encode`], or not whole.
fn decode(bytes: &[u8]) -> Option<(u64, Mark)> {
    let (fields, checksum) = bytes.split_at_checked(LENGTH)?;
    if crc32fast::hash(fields).to_be_bytes() != checksum {
        return None;
    }
    let (numbers, committed) = fields.split_at_checked(LENGTH - 1)?;
    let mut numbers = numbers
        .chunks_exact(8)
        .map(|number| number.iter().fold(0, |all, byte| (all << 8) | u64::from(*byte)));
    let (sequence, term, node, last) = (numbers.next()?, numbers.next()?, numbers.next()?, numbers.next()?);
    let vote = Vote { committed: committed == [1], ..Vote::new(term, node) };
    Some((sequence, Mark { vote, last }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::{Directory, Disk};

    fn mark(last: u64) -> Mark {
        Mark { vote: Vote::new_committed(7, 3), last }
    }

    #[test]
    fn the_last_one_counts_and_a_torn_one_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Directory::open(dir.path().to_owned()).unwrap();
        let open = |create| disk.sectors(create).and_then(|sectors| MarkFile::open(sectors, create));
        assert!(open(false).is_err(), "it is not made by itself");
        let mut file = open(true).unwrap();
        assert_eq!(file.mark(), Mark::default());
        assert_eq!(open(false).unwrap().mark(), Mark::default());
        for last in [4, 5] {
            file.write(mark(last)).unwrap();
        }
        assert_eq!(open(false).unwrap().mark(), mark(5));
        // The second was written to the first slot.
        file.file.write_at(&[9], 3).unwrap();
        assert_eq!(open(false).unwrap().mark(), mark(4));
        file.file.write_at(&[9], SLOT + 3).unwrap();
        let error = open(false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = encode(9, &mark(77));
        assert_eq!(decode(&good), Some((9, mark(77))));
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&bad), None, "bit {bit}");
        }
    }
}
