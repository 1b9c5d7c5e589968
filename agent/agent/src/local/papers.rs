//! The small files of the data directory that must outlive it, where the directory itself does not outlive the pod: who
//! this installation is, the CA of the cluster's domain, and its membership of the federation.
//!
//! They are kept somewhere else as well, on Kubernetes in a Secret. What is kept wins over the directory at the start;
//! afterwards every change of the directory is kept, by [`mirror`](super::mirror).

use std::collections::BTreeMap;
use std::fmt;

use futures::future::BoxFuture;
use zeroize::Zeroizing;

/// Their names, in the directory and wherever else they are kept.
pub const NAMES: [&str; 6] = [OWNER, "ca.key", "ca.pem", "ca-anchor.pem", "join.key", "membership.json"];
/// The one that says whose the others are.
pub(crate) const OWNER: &str = "agent.json";

/// Files by name. Wiped when dropped.
pub type Papers = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// Why papers could not be fetched or kept. Never holds any of their content.
#[derive(Debug, thiserror::Error)]
pub enum PapersError {
    /// The place is there and says no, and will until somebody changes its mind.
    #[error("not allowed to keep papers outside the data directory")]
    Denied(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Anything else.
    #[error("papers outside the data directory")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A place that outlives the data directory.
pub trait KeepPapers: fmt::Debug + Send + Sync + 'static {
    /// What is kept; none if nothing ever was. That the place cannot be reached is an error, and not `None`.
    fn load(&self) -> BoxFuture<'_, Result<Option<Papers>, PapersError>>;

    /// Replaces what is kept.
    fn save<'a>(&'a self, papers: &'a Papers) -> BoxFuture<'a, Result<(), PapersError>>;
}

/// What came of looking for them at the start.
#[derive(Debug)]
pub enum Kept {
    /// The place answered.
    Known(Option<Papers>),
    /// It did not: what is there is not known, and must not be replaced blindly.
    Unknown,
}

impl Kept {
    /// What was found.
    pub fn papers(&self) -> Option<&Papers> {
        match self {
            Self::Known(papers) => papers.as_ref(),
            Self::Unknown => None,
        }
    }
}

/// Only what is ours: somebody else may keep keys of their own in the same place.
pub(crate) fn ours(mut papers: Papers) -> Papers {
    papers.retain(|name, _| NAMES.contains(&name.as_str()));
    papers
}
