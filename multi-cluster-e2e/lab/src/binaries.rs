//! Where the programs are that a lab runs: beside each other in the directory that cargo built them into.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

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

    /// The real Envoy, or the sentence that says how to get it.
    pub fn envoy() -> anyhow::Result<PathBuf> {
        let path = envoy_path(|name| std::env::var_os(name).map(PathBuf::from));
        if !path.is_file() {
            bail!("there is no Envoy at {}: run `make envoy`, or set ISTHMUS_ENVOY to one", path.display());
        }
        Ok(path)
    }
}

/// `$ISTHMUS_ENVOY`, or where the set-up script of this repository puts it.
fn envoy_path(env: impl Fn(&str) -> Option<PathBuf>) -> PathBuf {
    if let Some(given) = env("ISTHMUS_ENVOY") {
        return given;
    }
    let cache = env("ISTHMUS_CACHE")
        .or_else(|| env("XDG_CACHE_HOME").map(|dir| dir.join("isthmus")))
        .or_else(|| env("HOME").map(|dir| dir.join(".cache/isthmus")));
    cache
        .unwrap_or_else(|| Path::new("/var/cache/isthmus").to_owned())
        .join(format!("envoy-{ENVOY_VERSION}/envoy"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envoy_is_looked_for_where_the_environment_says() {
        let with = |set: &'static [(&'static str, &'static str)]| {
            envoy_path(|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| PathBuf::from(v)))
        };
        assert_eq!(with(&[("ISTHMUS_ENVOY", "/e"), ("HOME", "/h")]), Path::new("/e"));
        assert_eq!(with(&[("ISTHMUS_CACHE", "/c"), ("HOME", "/h")]), Path::new("/c/envoy-1.40.0/envoy"));
        assert_eq!(with(&[("XDG_CACHE_HOME", "/x")]), Path::new("/x/isthmus/envoy-1.40.0/envoy"));
        assert_eq!(with(&[("HOME", "/h")]), Path::new("/h/.cache/isthmus/envoy-1.40.0/envoy"));
    }
}
