//! One key of a ConfigMap, for everybody to read: the CA bundle that gateways pin.
//!
//! Written only if it differs, by server-side apply, so that other keys and other writers stay as they are. Tests run
//! against the fake API server of `apply`.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use kube::Client;
use serde::Deserialize;
use serde_json::json;

use crate::apply::MANAGER;
use crate::call::{self, Answer};

/// The largest text that is published. etcd takes 1.5 MiB for the whole object.
pub const LARGEST_TEXT: usize = 512 << 10;

/// A ConfigMap could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ConfigMapError {
    /// More than [`LARGEST_TEXT`].
    #[error("{size} bytes are too many for a ConfigMap; at most {LARGEST_TEXT} are published")]
    TooLarge {
        /// The size of the text.
        size: usize,
    },
    /// The API server does not let us.
    #[error("the API server refused it ({status}): {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// In the API server's words.
        message: String,
    },
    /// No usable answer came.
    #[error("cannot talk to the API server")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

#[derive(Deserialize)]
struct ConfigMap {
    #[serde(default)]
    data: BTreeMap<String, String>,
}

/// Makes `key` of the ConfigMap say `text`, and says whether a write was needed. The ConfigMap is created if it is
/// missing; its other keys are left alone.
///
/// # Errors
/// [`ConfigMapError`]; nothing was changed then, as far as is known.
pub async fn publish(
    client: &Client,
    namespace: &str,
    name: &str,
    key: &str,
    text: &str,
) -> Result<bool, ConfigMapError> {
    if text.len() > LARGEST_TEXT {
        return Err(ConfigMapError::TooLarge { size: text.len() });
    }
    let path = format!("/api/v1/namespaces/{namespace}/configmaps/{name}");
    let held = call::get(client, &path).await.map_err(unreachable)?;
    match held.status {
        StatusCode::NOT_FOUND => {}
        status if status.is_success() => {
            let held: ConfigMap = held.object().map_err(unreachable)?;
            if held.data.get(key).is_some_and(|held| held == text) {
                return Ok(false);
            }
        }
        _ => return Err(refused(&held)),
    }
    // One manager per key: an apply takes away what the same manager applied before and does not name again.
    let manager = format!("{MANAGER}-{key}");
    let path = format!("{path}?fieldManager={manager}&force=true");
    let body = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": {key: text},
    });
    let answer =
        call::call(client, Method::PATCH, &path, call::APPLY, call::JSON, body.to_string().into_bytes());
    let answer = answer.await.map_err(unreachable)?;
    if answer.status.is_success() { Ok(true) } else { Err(refused(&answer)) }
}

fn refused(answer: &Answer) -> ConfigMapError {
    ConfigMapError::Refused { status: answer.status.as_u16(), message: answer.refusal().message }
}

fn unreachable(error: call::CallError) -> ConfigMapError {
    ConfigMapError::Unreachable(Box::new(error))
}

#[cfg(test)]
mod tests;
