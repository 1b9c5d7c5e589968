//! A whole list, page by page, for servers that cannot stream one.

use kube::Client;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::failure::Failure;
use super::limits::{MAX_BODY, MAX_OBJECTS, PAGE};
use super::request::{Shape, ask, collect};
use crate::connect::Trouble;
use crate::source::wire::{Identity, Item, Wire};

/// Every object of a kind, at one version.
#[derive(Debug)]
pub(super) struct Listed<T> {
    pub(super) items: Vec<Item<T>>,
    pub(super) version: String,
}

#[derive(Debug, Deserialize)]
struct Page<'a> {
    metadata: PageMeta,
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMeta {
    #[serde(default)]
    resource_version: String,
    #[serde(default, rename = "continue")]
    token: String,
}

/// Lists all of a kind, most recent, by pages of one version.
///
/// # Errors
/// When any page fails: a part of a list is nothing. [`Failure::Gone`] when the version of the first page went away
/// before the last was read.
pub(super) async fn list<T: Wire>(client: &Client, path: &str) -> Result<Listed<T>, Failure> {
    let shape = if T::METADATA_ONLY { Shape::MetadataList } else { Shape::Whole };
    let mut items = Vec::new();
    let mut token = String::new();
    loop {
        let mut url = format!("{path}?limit={PAGE}");
        if !token.is_empty() {
            url.push_str("&continue=");
            url.push_str(&escaped(&token));
        }
        let answer = ask(client, &url, shape).await?;
        let body = collect(answer.into_body(), MAX_BODY).await?;
        let page: Page<'_> =
            serde_json::from_slice(&body).map_err(|error| nonsense(format!("a list: {error}")))?;
        for object in page.items.unwrap_or_default() {
            let json = object.get();
            let (key, _) =
                Identity::of(json).ok_or_else(|| nonsense("an object without a name".to_owned()))?;
            items.push(Item { key, read: T::read(json) });
        }
        if items.len() > MAX_OBJECTS {
            return Err(nonsense(format!("more than {MAX_OBJECTS} objects")));
        }
        if page.metadata.token.is_empty() {
            let version = page.metadata.resource_version;
            if version.is_empty() {
                return Err(nonsense("a list without a version".to_owned()));
            }
            return Ok(Listed { items, version });
        }
        if page.metadata.token == token {
            return Err(nonsense("a page that is followed by itself".to_owned()));
        }
        token = page.metadata.token;
    }
}

/// Percent-encoded, for a query.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(byte.into()),
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

fn nonsense(detail: String) -> Failure {
    Failure::from(Trouble::Nonsense { detail })
}
