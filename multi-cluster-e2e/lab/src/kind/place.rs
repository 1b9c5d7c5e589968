//! Which lab: what `deploy/kind/up.sh` has written down.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A kind lab that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KindLab {
    /// Its clusters, in order.
    pub(super) clusters: Vec<String>,
    /// The kubeconfig with a context `kind-<cluster>` for each.
    pub(super) kubeconfig: PathBuf,
    /// The program `kubectl`.
    pub(super) kubectl: PathBuf,
    /// The engine that the nodes are containers of.
    pub(super) docker_host: String,
}

impl KindLab {
    /// Reads the directory that `up.sh` keeps its state in.
    pub(super) fn read(state: &Path) -> anyhow::Result<Self> {
        let text = |name: &str| {
            std::fs::read_to_string(state.join(name)).with_context(|| {
                format!("there is no kind lab in {}: run deploy/kind/up.sh first", state.display())
            })
        };
        let environment = variables(&text("env")?);
        let value =
            |key: &str| environment.get(key).cloned().with_context(|| format!("no {key} in env of the lab"));
        Ok(Self {
            clusters: text("clusters")?.split_whitespace().map(str::to_owned).collect(),
            kubeconfig: state.join("config"),
            kubectl: value("KUBECTL")?.into(),
            docker_host: value("DOCKER_HOST")?,
        })
    }
}

fn variables(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The container that is a cluster's only node.
pub(super) fn node_of(cluster: &str) -> String {
    format!("{cluster}-control-plane")
}

/// The context of a cluster in the kubeconfig.
pub(super) fn context_of(cluster: &str) -> String {
    format!("kind-{cluster}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_is_read_and_a_missing_one_says_what_to_do() {
        let state = tempfile::tempdir().unwrap();
        let error = KindLab::read(state.path()).unwrap_err().to_string();
        assert!(error.contains("up.sh"), "{error}");
        std::fs::write(state.path().join("clusters"), "east west\n").unwrap();
        std::fs::write(state.path().join("env"), "DOCKER_HOST=unix:///run/a=b.sock\nKUBECTL=/bin/kubectl\n")
            .unwrap();
        let lab = KindLab::read(state.path()).unwrap();
        assert_eq!(lab.clusters, ["east", "west"]);
        assert_eq!(lab.docker_host, "unix:///run/a=b.sock");
        assert_eq!(lab.kubectl, PathBuf::from("/bin/kubectl"));
    }
}
