//! The small file beside the engine. A sector that was not synced is, after a crash, one of those that were written to it
//! since; the one that was written last may be torn.

use std::collections::BTreeMap;
use std::io;

use federation_raft::seams::Sectors;

use super::disk::Plugged;
use crate::chance::Chance;

/// Writes of one life at offsets: whoever writes over something writes at the same place.
#[derive(Debug, Default)]
pub(super) struct Medium {
    made: bool,
    safe: BTreeMap<u64, Vec<u8>>,
    /// Oldest first.
    unsynced: Vec<(u64, Vec<u8>)>,
}

impl Medium {
    pub(super) fn open(&mut self, create: bool) -> io::Result<()> {
        if !self.made && !create {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.made = true;
        Ok(())
    }

    pub(super) fn crash(&mut self, chance: &Chance) {
        let unsynced = std::mem::take(&mut self.unsynced);
        let last = unsynced.len().checked_sub(1);
        for (at, (offset, mut bytes)) in unsynced.into_iter().enumerate() {
            if chance.permille(500) {
                continue;
            }
            if Some(at) == last && chance.permille(300) {
                let cut = usize::try_from(chance.number(0, bytes.len() as u64)).unwrap_or_default();
                let before = self.safe.get(&offset).cloned().unwrap_or_default();
                for (index, byte) in bytes.iter_mut().enumerate().skip(cut) {
                    *byte = before.get(index).copied().unwrap_or_default();
                }
            }
            self.safe.insert(offset, bytes);
        }
    }

    fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let unsynced = self.unsynced.iter().rev().find(|(at, _)| *at == offset).map(|(_, found)| found);
        let found = unsynced.or_else(|| self.safe.get(&offset));
        let found = found.filter(|found| found.len() >= bytes.len());
        let found = found.ok_or(io::ErrorKind::UnexpectedEof)?;
        for (byte, found) in bytes.iter_mut().zip(found) {
            *byte = *found;
        }
        Ok(())
    }

    fn sync(&mut self) {
        self.safe.extend(self.unsynced.drain(..));
    }
}

/// The file, as one life of its server sees it.
#[derive(Debug)]
pub(super) struct Mark(pub(super) Plugged);

impl Sectors for Mark {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.medium(|medium| medium.read(bytes, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.medium(|medium| {
            medium.unsynced.push((offset, bytes.to_owned()));
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.0.medium(|medium| {
            medium.sync();
            Ok(())
        })
    }
}
