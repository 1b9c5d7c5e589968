//! Where the programs of Kubernetes are.

use std::path::PathBuf;

use anyhow::bail;
use multi_cluster_e2e_lab::cache;

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
        let dir = cache::path("ISTHMUS_KUBERNETES", &format!("kubernetes-{KUBERNETES_VERSION}"));
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_script_builds_the_version_that_is_looked_for() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/setup/kubernetes.sh");
        let text = std::fs::read_to_string(script).unwrap();
        assert!(text.contains(&format!("\nVERSION={KUBERNETES_VERSION}\n")));
    }
}
