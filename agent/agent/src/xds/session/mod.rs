//! From requests to responses, for one stream. Pure state machines: what a proxy asked for and what it was sent.
//!
//! The two protocols share their words: a *step* is what one request leads to, a *verdict* what the proxy said about
//! an earlier response, a *subscription* what it asked for of one type and what it has of it.
//!
//! Both send the endpoints of a cluster that changed again: the proxy replaces it by a new one, which warms until it
//! hears of its endpoints, although those did not change.

pub mod delta;
pub mod sotw;
mod subscription;

use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::google::rpc::Status;

use super::resource::{ResourceType, Snapshot};

pub use delta::Delta;
pub use sotw::Sotw;

/// Most bytes of a proxy's complaint that are kept.
pub const MAX_COMPLAINT: usize = 1_024;
/// Most names that one stream may subscribe to, over all types. What is asked for beyond is not answered.
pub const MAX_NAMES: usize = 100_000;

/// What a request leads to.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<R> {
    /// What to send, in order.
    pub responses: Vec<R>,
    /// What the request said about an earlier response.
    pub verdict: Option<Verdict>,
}

impl<R> Step<R> {
    fn nothing() -> Self {
        Self { responses: Vec::new(), verdict: None }
    }
}

/// What a proxy made of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is in use.
    Accepted {
        /// The type.
        kind: ResourceType,
        /// The version of the response.
        version: String,
    },
    /// It is not, wholly or in part.
    Rejected {
        /// The type.
        kind: ResourceType,
        /// The proxy's words, cut to [`MAX_COMPLAINT`] bytes.
        complaint: String,
    },
}

impl Verdict {
    fn of(kind: ResourceType, version: String, error: Option<&Status>) -> Self {
        match error {
            None => Self::Accepted { kind, version },
            Some(status) => {
                let fits = |end: &usize| *end <= MAX_COMPLAINT;
                let ends = status.message.char_indices().map(|(at, letter)| at + letter.len_utf8());
                let end = ends.take_while(fits).last().unwrap_or(0);
                let complaint = status.message.get(..end).unwrap_or_default().to_owned();
                Self::Rejected { kind, complaint }
            }
        }
    }
}

/// One stream of one protocol.
pub trait Session: Send + 'static {
    /// What the proxy sends.
    type Request: Send;
    /// What it is sent.
    type Response: Send;

    /// A session that begins with this snapshot.
    fn new(snapshot: Arc<Snapshot>) -> Self;
    /// The node in a request: present in the first of a stream.
    fn node(request: &Self::Request) -> Option<&Node>;
    /// A request came.
    fn on_request(&mut self, request: Self::Request) -> Step<Self::Response>;
    /// The configuration changed: what to send, in order.
    fn on_snapshot(&mut self, snapshot: Arc<Snapshot>) -> Vec<Self::Response>;
    /// Whether every response was accepted.
    fn settled(&self) -> bool;
    /// The present snapshot.
    fn snapshot(&self) -> &Arc<Snapshot>;
}

#[cfg(test)]
pub(crate) mod fixture;
