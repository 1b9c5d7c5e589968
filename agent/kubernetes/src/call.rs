//! One request to the API server and its whole answer: status, `Retry-After` and body, whatever they are.
//!
//! kube's typed calls throw `Retry-After` away and log a body that they cannot read, which may hold a secret; writers
//! therefore send their requests themselves. The body of an answer is bounded, and so is the time until it is there.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How long one request may take, its answer included. The API server itself gives up after 60 s.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer that is read. An object in etcd is at most 1.5 MiB; JSON of it is larger, not by that much.
const LARGEST_ANSWER: usize = 8 << 20;
/// The longest pause that a server may ask for and get.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);
/// The longest piece of a server's own words that is kept.
const LONGEST_MESSAGE: usize = 1024;

/// Media type of a server-side apply.
pub(crate) const APPLY: &str = "application/apply-patch+yaml";
/// Media type of a JSON merge patch (RFC 7396).
pub(crate) const MERGE: &str = "application/merge-patch+json";
/// Media type of everything else that is sent.
pub(crate) const JSON: &str = "application/json";

/// No whole answer came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The request could not be sent, or the connection broke.
    #[error("no answer from the API server")]
    Transport(#[source] Box<kube::Error>),
    /// Nothing came in time.
    #[error("no answer from the API server within {} s", TIMEOUT.as_secs())]
    Timeout,
    /// The answer is larger than anything that the API server stores.
    #[error("the answer of the API server is larger than {} MiB", LARGEST_ANSWER >> 20)]
    TooLarge,
    /// The connection broke within the answer.
    #[error("the answer of the API server broke off")]
    Cut(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The path is no URI: a name with impossible characters in it.
    #[error("not a path of the API")]
    Path(#[source] http::Error),
    /// The answer is not what was asked for.
    #[error("the API server answered something else than was asked for")]
    Unreadable(#[source] serde_json::Error),
}

/// What the API server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// How long to leave it alone, if it said so in seconds; at most a minute.
    pub(crate) retry_after: Option<Duration>,
    /// The body, never to be logged: it may be a Secret.
    pub(crate) body: Bytes,
}

/// A refusal in the API server's own words: the part of `meta/v1 Status` that is used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Refusal {
    /// For people; cut at 1 KiB.
    pub(crate) message: String,
    /// A word: `Conflict`, `AlreadyExists`, `Forbidden`.
    pub(crate) reason: String,
    details: Option<Details>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    name: String,
    kind: String,
    retry_after_seconds: u64,
    causes: Option<Vec<Cause>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Cause {
    reason: String,
}

impl Refusal {
    /// Whether the namespace is on its way out, so that nothing new can be made in it.
    pub(crate) fn namespace_terminating(&self) -> bool {
        let causes = self.details.iter().flat_map(|details| details.causes.iter().flatten());
        causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
    }

    /// Whether what is missing is the namespace.
    pub(crate) fn names_a_namespace(&self) -> bool {
        self.details.as_ref().is_some_and(|details| details.kind == "namespaces")
    }

    /// Whether what is missing is some object; otherwise it is the whole kind.
    pub(crate) fn names_an_object(&self) -> bool {
        self.details.as_ref().is_some_and(|details| !details.name.is_empty())
    }
}

impl Answer {
    /// The refusal in the body; what the status line says where the body is none.
    pub(crate) fn refusal(&self) -> Refusal {
        let mut refusal: Refusal = serde_json::from_slice(&self.body).unwrap_or_default();
        if refusal.message.is_empty() {
            self.status.canonical_reason().unwrap_or("no reason given").clone_into(&mut refusal.message);
        }
        truncate(&mut refusal.message, LONGEST_MESSAGE);
        refusal
    }

    /// The pause that is asked for, in the header or in the body.
    pub(crate) fn pause(&self) -> Option<Duration> {
        self.retry_after.or_else(|| {
            let refusal: Refusal = serde_json::from_slice(&self.body).ok()?;
            let seconds = refusal.details?.retry_after_seconds;
            (seconds > 0).then(|| Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
        })
    }

    /// The object in the body.
    pub(crate) fn object<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body).map_err(CallError::Unreadable)
    }
}

/// Sends one request. `path` is of the API (`/api/v1/...`); `body` has media type `content`.
pub(crate) async fn call(
    client: &Client,
    method: Method,
    path: &str,
    content: &'static str,
    accept: &'static str,
    body: impl Into<Body>,
) -> Result<Answer, CallError> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, content)
        .header(header::ACCEPT, accept)
        .body(body.into())
        .map_err(CallError::Path)?;
    tokio::time::timeout(TIMEOUT, exchange(client, request)).await.unwrap_or(Err(CallError::Timeout))
}

/// [`call`] without a body.
pub(crate) async fn get(client: &Client, path: &str) -> Result<Answer, CallError> {
    call(client, Method::GET, path, JSON, JSON, Body::empty()).await
}

async fn exchange(client: &Client, request: Request<Body>) -> Result<Answer, CallError> {
    let response = client.send(request).await.map_err(|error| CallError::Transport(Box::new(error)))?;
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
    let body = body.map_err(|error| match error.downcast::<LengthLimitError>() {
        Ok(_) => CallError::TooLarge,
        Err(error) => CallError::Cut(error),
    })?;
    Ok(Answer { status, retry_after, body: body.to_bytes() })
}

/// Seconds only: the API server never sends a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

/// Cuts `text` at a character, so that it has at most `most` bytes.
pub(crate) fn truncate(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Answer { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body }
    }

    #[test]
    fn a_refusal_is_read_from_the_status_or_made_up_from_the_status_line() {
        let body = r#"{"kind":"Status","message":"no","reason":"Forbidden","details":{"causes":[{"reason":"NamespaceTerminating"}]}}"#;
        let refusal = answer(403, body).refusal();
        assert_eq!((refusal.message.as_str(), refusal.namespace_terminating()), ("no", true));
        assert_eq!(answer(404, "404 page not found").refusal().message, "Not Found");
        let body = r#"{"message":"x","details":{"kind":"namespaces","causes":null}}"#;
        assert!(answer(404, body).refusal().names_a_namespace());
    }

    #[test]
    fn a_pause_is_bounded_and_may_stand_in_the_body() {
        let body = r#"{"details":{"retryAfterSeconds":99999}}"#;
        assert_eq!(answer(429, body).pause(), Some(LONGEST_RETRY_AFTER));
        assert_eq!(answer(503, "").pause(), None);
    }

    #[test]
    fn text_is_cut_at_a_character() {
        let mut text = "aé".repeat(10);
        truncate(&mut text, 2);
        assert_eq!(text, "a");
    }
}
