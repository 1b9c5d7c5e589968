//! Where the programs of Kubernetes are.

use std::path::{Path, PathBuf};

use anyhow::bail;

/// The release that `deploy/setup/kubernetes.sh` builds.
pub const KUBERNETES_VERSION: &str = "v1.36.3";

/// The programs of one Kubernetes.
#[derive(Debug, Clone)]
pub struct Binaries {
    dir: PathBuf,
}

impl Binaries {
    /// What the set-up script of this repository built, or the directory that `ISTHMUS_KUBERNETES` names.
    ///
    /// # Errors
    /// When one of the programs is not there: with what to run.
    pub fn find() -> anyhow::Result<Self> {
        let dir = directory(|name| std::env::var_os(name).map(PathBuf::from));
        for program in ["etcd", "kube-apiserver", "kube-controller-manager"] {
            if !dir.join(program).is_file() {
                bail!("there is no {program} in {}: run deploy/setup/kubernetes.sh", dir.display());
            }
        }
        Ok(Self { dir })
    }

    /// The path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

fn directory(env: impl Fn(&str) -> Option<PathBuf>) -> PathBuf {
    if let Some(given) = env("ISTHMUS_KUBERNETES") {
        return given;
    }
    let cache = env("ISTHMUS_CACHE")
        .or_else(|| env("XDG_CACHE_HOME").map(|dir| dir.join("isthmus")))
        .or_else(|| env("HOME").map(|dir| dir.join(".cache/isthmus")));
    cache
        .unwrap_or_else(|| Path::new("/var/cache/isthmus").to_owned())
        .join(format!("kubernetes-{KUBERNETES_VERSION}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_for_where_the_environment_says() {
        let with = |set: &'static [(&'static str, &'static str)]| {
            directory(|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| PathBuf::from(v)))
        };
        assert_eq!(with(&[("ISTHMUS_KUBERNETES", "/k"), ("HOME", "/h")]), Path::new("/k"));
        assert_eq!(with(&[("ISTHMUS_CACHE", "/c"), ("HOME", "/h")]), Path::new("/c/kubernetes-v1.36.3"));
        assert_eq!(with(&[("HOME", "/h")]), Path::new("/h/.cache/isthmus/kubernetes-v1.36.3"));
    }

    #[test]
    fn the_script_builds_the_version_that_is_looked_for() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/setup/kubernetes.sh");
        let text = std::fs::read_to_string(script).unwrap();
        assert!(text.contains(&format!("\nVERSION={KUBERNETES_VERSION}\n")));
    }
}
