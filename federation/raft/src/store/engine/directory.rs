//! The disk that servers use: a data directory.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::sled::Sled;
use super::{Disk, Engine, OpenError, Runner, Sectors};

/// The plain file that names the owner.
const MARKER: &str = "isthmus-server";
/// The storage engine's own directory.
const ENGINE: &str = "raft.sled";
/// What the log reached, beside the engine's directory.
const MARK: &str = "raft.mark";

/// A directory of this machine.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// Takes `path`, and makes the directory if it is not there.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Disk for Directory {
    fn path(&self) -> &Path {
        &self.0
    }

    fn marker(&self) -> io::Result<Option<String>> {
        match std::fs::read_to_string(self.0.join(MARKER)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write_marker(&self, text: &str) -> io::Result<()> {
        federation_kit::files::write_atomic(&self.0.join(MARKER), text.as_bytes(), 0o600)
            .map_err(io::Error::other)
    }

    fn has_engine(&self) -> bool {
        self.0.join(ENGINE).exists()
    }

    fn engine(&self) -> Result<Box<dyn Engine>, OpenError> {
        Ok(Box::new(Sled::open(&self.0.join(ENGINE))?))
    }

    fn sectors(&self, create: bool) -> io::Result<Box<dyn Sectors>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .truncate(false)
            .open(self.0.join(MARK))?;
        Ok(Box::new(file))
    }

    fn runner(&self) -> Runner {
        Runner::Threads
    }
}

impl Sectors for File {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
