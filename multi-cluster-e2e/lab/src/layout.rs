//! The files of one lab. Everything that belongs to it is under one directory that only its owner may read.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The longest path of a Unix socket, in bytes, with room for the terminating zero (`sun_path` has 108).
const MAX_SOCKET_PATH: usize = 107;
/// The longest name of a socket that a lab puts in its runtime directory: a cluster id and `.sock`.
const LONGEST_SOCKET_NAME: usize = 63 + ".sock".len();

/// What a lab leaves when it stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The directory stays, with its logs and the user's YAML.
    Yes,
    /// Nothing.
    No,
}

/// The directory of one lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
    run: PathBuf,
    keep: Keep,
}

impl Layout {
    /// Makes the directory, or takes over one that an earlier lab left: then the YAML files stay as they are and
    /// everything else is made anew. A directory with anything else in it is refused.
    pub fn create(root: &Path, keep: Keep) -> anyhow::Result<Self> {
        make_private(root)?;
        let root = root.canonicalize().with_context(|| format!("cannot resolve {}", root.display()))?;
        clear_remains(&root)?;
        let run = runtime_dir(&root)?;
        make_private(&run)?;
        Ok(Self { root, run, keep })
    }

    /// A directory of its own under the system's temporary directory, removed in the end.
    pub fn temporary() -> anyhow::Result<Self> {
        let dir = std::env::temp_dir().join(format!("isthmus-lab-{:08x}", rand::random::<u32>()));
        Self::create(&dir, Keep::No)
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The state file of the lab in `root`.
    pub fn state_file(root: &Path) -> PathBuf {
        root.join("lab.json")
    }

    /// Where supervisor commands are taken.
    pub fn control_socket(&self) -> PathBuf {
        self.run.join("lab.sock")
    }

    /// An agent's local socket.
    pub fn agent_socket(&self, cluster: &str) -> PathBuf {
        self.run.join(format!("{cluster}.sock"))
    }

    /// The clusterset's CA: `cert.pem` and `key.pem`.
    pub fn ca(&self) -> PathBuf {
        self.root.join("ca")
    }

    /// An operator's identity: `cert.pem`, `key.pem` and `ca.pem`.
    pub fn admin(&self) -> PathBuf {
        Self::admin_of(&self.root)
    }

    /// The operator's identity of the lab in `root`.
    pub fn admin_of(root: &Path) -> PathBuf {
        root.join("admin")
    }

    /// One server's directory.
    pub fn server(&self, id: u64) -> PathBuf {
        self.root.join("servers").join(id.to_string())
    }

    /// One cluster's directory.
    pub fn cluster(&self, id: &str) -> PathBuf {
        self.root.join("clusters").join(id)
    }

    /// One cluster's authority, where it does not make its own: `cert-chain.pem` and `ca-key.pem`.
    pub fn cluster_ca(&self, id: &str) -> PathBuf {
        self.cluster(id).join("ca")
    }

    /// The YAML of one cluster.
    pub fn manifests(&self, id: &str) -> PathBuf {
        self.cluster(id).join("manifests")
    }

    /// A process's log.
    pub fn log(&self, process: &str) -> PathBuf {
        self.root.join("logs").join(format!("{process}.log"))
    }

    /// What must go when the lab ends.
    pub fn removed_at_end(&self) -> Vec<PathBuf> {
        match self.keep {
            Keep::Yes => vec![self.run.clone()],
            Keep::No => vec![self.run.clone(), self.root.clone()],
        }
    }

    /// Whether the directory outlives the lab.
    pub fn keep(&self) -> Keep {
        self.keep
    }
}

/// Makes a directory (and its parents) with mode 0700, or checks that it is one.
pub fn make_private(dir: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make the directory {}", dir.display()))
}

/// Removes what an earlier lab left in `root`, but not the user's YAML.
fn clear_remains(root: &Path) -> anyhow::Result<()> {
    let entries = |dir: &Path| -> anyhow::Result<Vec<PathBuf>> {
        let listing = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
        Ok(listing.collect::<Result<Vec<_>, _>>()?.into_iter().map(|e| e.path()).collect())
    };
    let found = entries(root)?;
    if found.is_empty() {
        return Ok(());
    }
    if !Layout::state_file(root).exists() {
        bail!("{} is not empty and holds no lab (no lab.json): give an empty or new --dir", root.display());
    }
    for path in ["ca", "admin", "servers", "logs", "run"].map(|name| root.join(name)) {
        remove_all(&path)?;
    }
    let clusters = root.join("clusters");
    for cluster in if clusters.exists() { entries(&clusters)? } else { Vec::new() } {
        for path in entries(&cluster)?.into_iter().filter(|p| !p.ends_with("manifests")) {
            remove_all(&path)?;
        }
    }
    Ok(())
}

/// Removes a file or a directory with all that is in it. Its absence is no error.
pub fn remove_all(path: &Path) -> anyhow::Result<()> {
    let gone = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => return Ok(()),
    };
    gone.with_context(|| format!("cannot remove {}", path.display()))
}

/// Under the lab's own directory while that is short enough for sockets.
fn runtime_dir(root: &Path) -> anyhow::Result<PathBuf> {
    let fits = |dir: &Path| dir.as_os_str().len() + 1 + LONGEST_SOCKET_NAME <= MAX_SOCKET_PATH;
    let inside = root.join("run");
    if fits(&inside) {
        return Ok(inside);
    }
    for base in [std::env::temp_dir(), PathBuf::from("/tmp")] {
        let dir = base.join(format!("isthmus-run-{:08x}", rand::random::<u32>()));
        if fits(&dir) {
            return Ok(dir);
        }
    }
    bail!("no directory with a path short enough for Unix sockets")
}

#[cfg(test)]
mod tests;
