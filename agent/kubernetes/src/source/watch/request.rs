//! Requests, and the errors that are answers.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, RETRY_AFTER};
use http::{HeaderMap, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use serde::Deserialize;

use super::failure::Failure;
use super::limits::{HEAD, LIST_IDLE, MAX_BODY, MAX_RETRY_AFTER};
use super::lines::frame;
use crate::connect::Trouble;

/// Media types: whole objects, or their metadata.
const JSON: &str = "application/json";
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Whole,
    MetadataList,
    Metadata,
}

/// A `Status` of the API server.
#[derive(Debug, Default, Deserialize)]
pub(super) struct StatusDocument {
    #[serde(default)]
    pub(super) code: u16,
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    #[serde(default)]
    retry_after_seconds: Option<u32>,
}

impl StatusDocument {
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.details.as_ref()?.retry_after_seconds?;
        (seconds > 0).then(|| bounded(Duration::from_secs(seconds.into())))
    }
}

/// Asks, and returns the answer once it has begun, if it is a success.
///
/// # Errors
/// What went wrong; the body of an error is read, within bounds.
pub(super) async fn ask(client: &Client, url: &str, shape: Shape) -> Result<Response<Body>, Failure> {
    let accept = match shape {
        Shape::Whole => JSON,
        Shape::MetadataList => METADATA_LIST,
        Shape::Metadata => METADATA,
    };
    let request = Request::get(url).header(ACCEPT, accept).body(Body::empty());
    let request = request.map_err(|error| Trouble::Nonsense { detail: error.to_string() })?;
    let answer = tokio::time::timeout(HEAD, client.send(request)).await;
    let answer = answer
        .map_err(|_| Trouble::Unreachable { detail: format!("no answer within {} s", HEAD.as_secs()) })?
        .map_err(|error| Trouble::of(&error))?;
    if answer.status() == StatusCode::OK {
        return Ok(answer);
    }
    let code = answer.status().as_u16();
    let wish = wish(answer.headers());
    // The status line says enough where the body does not.
    let body = collect(answer.into_body(), 64 * 1024).await.unwrap_or_default();
    let status: StatusDocument = serde_json::from_slice(&body).unwrap_or_default();
    let message = if status.message.is_empty() { "no reason given" } else { &status.message };
    Err(Failure::of_status(code, message, wish.or_else(|| status.retry_after())))
}

/// Asks for one document.
///
/// # Errors
/// As [`ask`], and when it is too long or cut short.
pub(in crate::source) async fn get(client: &Client, url: &str) -> Result<Bytes, Trouble> {
    let answer = ask(client, url, Shape::Whole).await.map_err(|failure| match failure {
        Failure::Trouble { trouble, .. } => trouble,
        Failure::Gone | Failure::NoStreaming => Trouble::of_status(410, "gone"),
    })?;
    collect(answer.into_body(), MAX_BODY).await
}

/// Reads a whole body.
pub(super) async fn collect(mut body: Body, max: usize) -> Result<Bytes, Trouble> {
    let mut whole = BytesMut::new();
    while let Some(data) = frame(&mut body, LIST_IDLE).await? {
        if whole.len().saturating_add(data.len()) > max {
            return Err(Trouble::Nonsense { detail: format!("an answer of more than {max} bytes") });
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// `Retry-After` in seconds; API servers send no dates.
fn wish(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(bounded(Duration::from_secs(seconds)))
}

fn bounded(wish: Duration) -> Duration {
    wish.min(MAX_RETRY_AFTER)
}
