//! Where the programs are that a lab runs: beside each other in the directory that cargo built them into.

use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::cache;

/// The Envoy release that `make` fetches.
pub const ENVOY_VERSION: &str = "1.40.0";

/// The programs of one build.
#[derive(Debug, Clone)]
pub struct Binaries {
    dir: PathBuf,
}

impl Binaries {
    /// Looks beside this executable, and one directory further up for a test (cargo puts tests into `deps`).
    pub fn locate() -> anyhow::Result<Self> {
        let exe = std::env::current_exe().context("cannot tell where this program itself is")?;
        let beside = exe.parent().context("this program has no directory")?;
        let candidates = [Some(beside), beside.parent()];
        let dir = candidates.into_iter().flatten().find(|dir| dir.join("isthmus-lab").is_file());
        match dir {
            Some(dir) => Ok(Self { dir: dir.to_owned() }),
            None => bail!(
                "no isthmus-lab in {}: build everything first: cargo build --workspace",
                beside.display()
            ),
        }
    }

    /// One program, checked to be there.
    pub fn program(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.dir.join(name);
        if !path.is_file() {
            bail!("{} is missing: build everything first: cargo build --workspace", path.display());
        }
        Ok(path)
    }

    /// The real Envoy, that which `ISTHMUS_ENVOY` names or that of the set-up script; or the sentence that says how to get it.
    pub fn envoy() -> anyhow::Result<PathBuf> {
        let path = cache::path("ISTHMUS_ENVOY", &format!("envoy-{ENVOY_VERSION}/envoy"));
        if !path.is_file() {
            bail!("there is no Envoy at {}: run `make envoy`, or set ISTHMUS_ENVOY to one", path.display());
        }
        Ok(path)
    }
}
