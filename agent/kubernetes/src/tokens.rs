//! Whose service-account token is this: asked of the API server (TokenReview, authentication.k8s.io/v1), remembered for a
//! short while.
//!
//! Owns: the review and its memory. Must never: keep a token (its SHA-256 is kept), put one into a log or an error, or
//! decide what a service account may do. Trust comes from the API server's answer alone; the token's own `exp` only
//! shortens how long that answer is remembered. Tests: `tokens/tests.rs`, with paused time.

mod expiry;
mod memory;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use http::Method;
use kube::Client;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::call::{self, truncate};
use memory::{Known, Memory, Outcome};

/// The longest token that is sent for review; those of Kubernetes have about 1 KiB.
const LONGEST_TOKEN: usize = 16 << 10;
/// Reviews that are under way at once, so that a flood of bad tokens is no flood at the API server.
const AT_ONCE: usize = 16;

/// A service account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ServiceAccount {
    /// From the user name `system:serviceaccount:NAMESPACE:NAME`; `None` for every other user.
    #[must_use]
    pub fn of_user(user: &str) -> Option<Self> {
        let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
        let whole = !namespace.is_empty() && !name.is_empty() && !name.contains(':');
        whole.then(|| Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

impl fmt::Display for ServiceAccount {
    /// `namespace/name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A token that counts for nothing, or nobody to ask. Never holds any of the token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// Empty, or longer than 16 KiB.
    #[error("not a token: {size} bytes")]
    Size {
        /// In bytes.
        size: usize,
    },
    /// The API server does not know it: expired, of another cluster, of a deleted pod, or made up.
    #[error("the API server does not accept the token: {0}")]
    Refused(String),
    /// It is good, but for somebody else.
    #[error("the token is not for the audience {0:?}")]
    Audience(String),
    /// It is good, but not a service account's.
    #[error("the token is not of a service account")]
    NotAServiceAccount,
    /// No review: the API server cannot be reached, or does not let us ask.
    #[error("the API server cannot be asked about the token")]
    Unavailable(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl TokenError {
    /// Whether the token was judged, so that the same answer may be given again for a while.
    fn is_verdict(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Audience(_) | Self::NotAServiceAccount)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("TokenReview was refused ({status}): {message}; may the agent create tokenreviews?")]
struct NoReview {
    status: u16,
    message: String,
}

/// Asks about tokens, and remembers the answers: good ones until the token expires, at most 60 s; bad ones 5 s; at most
/// 1,024. The same token is never asked about twice at once. Cheap to clone; clones share the memory.
#[derive(Clone)]
pub struct TokenReviewer {
    client: Client,
    memory: Arc<Mutex<Memory>>,
    at_once: Arc<Semaphore>,
}

impl TokenReviewer {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, memory: Arc::default(), at_once: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The service account that `token` is of, if the API server says that it is good and for `audience`.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn review(&self, token: &str, audience: &str) -> Result<ServiceAccount, TokenError> {
        if token.is_empty() || token.len() > LONGEST_TOKEN {
            return Err(TokenError::Size { size: token.len() });
        }
        let key = key(token, audience);
        // Not within the `match`: the lock would be held through all of it.
        let known = self.memory().find(&key);
        let review = match known {
            Known::Verdict(verdict) => return verdict,
            Known::UnderWay(review) => review,
            Known::No => {
                let fresh = self.clone().ask(token.to_owned(), audience.to_owned()).boxed().shared();
                // Between the look and this, somebody else may have begun: theirs counts then.
                self.memory().begin(key, fresh)
            }
        };
        // Whoever waits drives the review; if one is cancelled the others go on with it, and after the last it is over.
        let mut waiting = Waiting { memory: Arc::clone(&self.memory), key, review };
        let Outcome { verdict, remember } = (&mut waiting.review).await;
        self.memory().settle(key, &verdict, remember);
        verdict
    }

    async fn ask(self, token: String, audience: String) -> Outcome {
        // The semaphore is never closed.
        let _permit = self.at_once.acquire().await;
        let expiry = expiry::of_token(&token);
        let verdict = self.verdict(token, audience).await;
        let remember = match &verdict {
            Ok(_) => Some(expiry.unwrap_or(memory::LONGEST_GOOD).min(memory::LONGEST_GOOD)),
            Err(error) => error.is_verdict().then_some(memory::BAD),
        };
        Outcome { verdict, remember }
    }

    async fn verdict(&self, token: String, audience: String) -> Result<ServiceAccount, TokenError> {
        let body = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [audience]},
        });
        let body = body.to_string().into_bytes();
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        let answer = call::call(&self.client, Method::POST, path, call::JSON, call::JSON, body).await;
        let answer = answer.map_err(|error| TokenError::Unavailable(Arc::new(error)))?;
        if !answer.status.is_success() {
            let (status, message) = (answer.status.as_u16(), answer.refusal().message);
            return Err(TokenError::Unavailable(Arc::new(NoReview { status, message })));
        }
        let review: Review = answer.object().map_err(|error| TokenError::Unavailable(Arc::new(error)))?;
        let status = review.status;
        if !status.authenticated {
            let mut why = status.error.unwrap_or_else(|| "not authenticated".to_owned());
            truncate(&mut why, 256);
            return Err(TokenError::Refused(why));
        }
        // An authenticator that knows nothing of audiences answers with none: then it is for the API server's own.
        if !status.audiences.iter().flatten().any(|named| *named == audience) {
            return Err(TokenError::Audience(audience));
        }
        let user = status.user.and_then(|user| user.username).unwrap_or_default();
        ServiceAccount::of_user(&user).ok_or(TokenError::NotAServiceAccount)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        lock(&self.memory)
    }
}

/// Every change of the memory is whole before anything can panic.
fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Somebody who waits for a review. A review that nobody waits for any more is forgotten, so that it does not hold one of
/// the few places at the API server without anybody to drive it.
struct Waiting {
    memory: Arc<Mutex<Memory>>,
    key: memory::Key,
    review: memory::UnderWay,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        lock(&self.memory).leave(&self.key, &self.review);
    }
}

impl fmt::Debug for TokenReviewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenReviewer")
    }
}

/// The audience's length comes first, so that no two pairs have the same key.
fn key(token: &str, audience: &str) -> memory::Key {
    let mut hash = Sha256::new();
    hash.update(audience.len().to_be_bytes());
    hash.update(audience);
    hash.update(token);
    hash.finalize().into()
}

#[derive(Deserialize)]
struct Review {
    #[serde(default)]
    status: ReviewStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ReviewStatus {
    authenticated: bool,
    user: Option<User>,
    audiences: Option<Vec<String>>,
    error: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User {
    username: Option<String>,
}
