//! `lab.json`: what runs where, for the other commands and for people.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::layout::Layout;
use crate::process::Status;
use crate::topology::Topology;

/// The version of the file that this program writes and reads.
const VERSION: u32 = 1;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabState {
    /// The version of this format.
    pub version: u32,
    /// The process that supervises the lab.
    pub supervisor: u32,
    /// The socket on which it takes commands.
    pub control: PathBuf,
    /// The lab's directory.
    pub dir: PathBuf,
    /// Whether the directory goes when the lab stops.
    pub removed_at_end: bool,
    /// Addresses.
    pub topology: Topology,
    /// By name.
    pub processes: BTreeMap<String, ProcessState>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessState {
    /// What it does.
    #[serde(flatten)]
    pub status: Status,
    /// Its output.
    pub log: PathBuf,
}

impl LabState {
    /// A state of this version.
    pub fn new(
        layout: &Layout,
        removed_at_end: bool,
        topology: &Topology,
        processes: BTreeMap<String, ProcessState>,
    ) -> Self {
        Self {
            version: VERSION,
            supervisor: std::process::id(),
            control: layout.control_socket(),
            dir: layout.root().to_owned(),
            removed_at_end,
            topology: topology.clone(),
            processes,
        }
    }

    /// The lab's directory.
    pub fn root(&self) -> &Path {
        &self.dir
    }

    /// Reads the state of the lab in `dir`.
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = Layout::state_file(dir);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("no lab in {}: start one with `isthmus-lab up`", dir.display()))?;
        let state: Self =
            serde_json::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))?;
        if state.version != VERSION {
            bail!("{} has version {}; this program reads {VERSION}", path.display(), state.version);
        }
        Ok(state)
    }

    /// Replaces the file.
    pub fn write(&self, dir: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        write_whole(&Layout::state_file(dir), text.as_bytes())
    }
}

/// Replaces a file by rename: nobody ever reads half of it.
pub fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let name = path.file_name().context("a file without a name")?.to_string_lossy();
    // Hidden, and without the extension, so that no directory watcher takes the unfinished file for a real one.
    let unfinished = path.with_file_name(format!(".{name}.{:08x}~", rand::random::<u32>()));
    std::fs::write(&unfinished, bytes)
        .and_then(|()| std::fs::rename(&unfinished, path))
        .with_context(|| format!("cannot write {}", path.display()))
}
