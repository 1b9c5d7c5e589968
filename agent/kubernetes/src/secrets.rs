//! The Secret that holds what must outlive the agent's pod: its identity in the federation.
//!
//! Its keys are ours; whoever else keeps keys in it keeps them. Nothing of its content reaches a log or an error, and
//! what passes through here is wiped when it is dropped, as far as the HTTP client's own buffers allow. Tests run against
//! the fake API server of `apply`.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use kube::Client;
use serde::Deserialize;
use zeroize::{Zeroize as _, Zeroizing};

use crate::apply::MANAGER;
use crate::call::{self, Answer, CallError};

/// The largest content: all keys and values together. The API server takes 1 MiB.
pub const LARGEST_SECRET: usize = 512 << 10;

/// A key of the Secret, and what it holds.
pub type Entries = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// One Secret. Cheap to clone.
#[derive(Clone)]
pub struct SecretStore {
    client: Client,
    namespace: String,
    name: String,
}

/// A Secret could not be read or written. Never holds any of its content.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// More than [`LARGEST_SECRET`].
    #[error("Secret {secret}: {size} bytes are too many; at most {LARGEST_SECRET} are kept")]
    TooLarge {
        /// Namespace and name.
        secret: String,
        /// Keys and values together.
        size: usize,
    },
    /// A key that no Secret can have.
    #[error("Secret {secret}: {key:?} cannot be a key: letters, digits, '-', '_' and '.', at most 253")]
    Key {
        /// Namespace and name.
        secret: String,
        /// The key.
        key: String,
    },
    /// The API server does not let us.
    #[error("Secret {secret}: the API server refused it ({status}); may the agent get and patch it?")]
    Refused {
        /// Namespace and name.
        secret: String,
        /// HTTP status. Its words are left out: they may quote what was sent.
        status: u16,
    },
    /// What is there is no Secret with base64 values.
    #[error("Secret {secret}: what is stored there cannot be read")]
    Unreadable {
        /// Namespace and name.
        secret: String,
    },
    /// No usable answer came.
    #[error("Secret {secret}: cannot talk to the API server")]
    Unreachable {
        /// Namespace and name.
        secret: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

#[derive(Deserialize)]
struct Stored {
    #[serde(default)]
    data: Option<BTreeMap<String, String>>,
}

impl SecretStore {
    /// The Secret `name` in `namespace`. Nothing is read yet.
    pub fn new(client: Client, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { client, namespace: namespace.into(), name: name.into() }
    }

    /// What it holds; `None` if there is no such Secret.
    ///
    /// # Errors
    /// [`SecretError`]; an API server that cannot be reached is an error and not `None`.
    pub async fn load(&self) -> Result<Option<Entries>, SecretError> {
        let answer = call::get(&self.client, &self.path()).await.map_err(|error| self.unreachable(error))?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !answer.status.is_success() {
            return Err(self.refused(&answer));
        }
        // The parser's error may quote the text, so it is not kept.
        let stored: Stored = answer.object().map_err(|_| self.unreadable())?;
        let mut entries = Entries::new();
        for (key, value) in stored.data.unwrap_or_default() {
            let value = Zeroizing::new(value);
            let value = STANDARD.decode(value.as_bytes()).map_err(|_| self.unreadable())?;
            entries.insert(key, Zeroizing::new(value));
        }
        self.fits(&entries)?;
        Ok(Some(entries))
    }

    /// Makes it hold `entries`. Keys that an earlier `save` wrote and that are not among them go; keys that somebody
    /// else put there stay. Creates the Secret, of type Opaque, if it is missing.
    ///
    /// # Errors
    /// [`SecretError`]; what was there before still is.
    pub async fn save(&self, entries: &Entries) -> Result<(), SecretError> {
        self.fits(entries)?;
        let path = format!("{}?fieldManager={MANAGER}&force=true", self.path());
        let body = self.body(entries)?;
        let answer = call::call(&self.client, Method::PATCH, &path, call::APPLY, call::JSON, body);
        let answer = answer.await.map_err(|error| self.unreachable(error))?;
        if answer.status.is_success() { Ok(()) } else { Err(self.refused(&answer)) }
    }

    fn path(&self) -> String {
        format!("/api/v1/namespaces/{}/secrets/{}", self.namespace, self.name)
    }

    /// Written by hand, because a JSON value would leave copies behind that nobody wipes. The buffer never grows, for
    /// the same reason. The HTTP client takes it over, and drops it unwiped.
    fn body(&self, entries: &Entries) -> Result<Vec<u8>, SecretError> {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut body = String::with_capacity(2 * LARGEST_SECRET);
        body.push_str(r#"{"apiVersion":"v1","kind":"Secret","type":"Opaque","metadata":{"name":"#);
        body.push_str(&quoted(&self.name));
        body.push_str(r#","namespace":"#);
        body.push_str(&quoted(&self.namespace));
        body.push_str(r#","labels":{"app.kubernetes.io/managed-by":"isthmus"}},"data":{"#);
        for (index, (key, value)) in entries.iter().enumerate() {
            let fits = (1..=253).contains(&key.len());
            if !fits || !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
                body.zeroize();
                return Err(SecretError::Key { secret: self.to_string(), key: key.clone() });
            }
            if index > 0 {
                body.push(',');
            }
            body.push('"');
            body.push_str(key);
            body.push_str("\":\"");
            STANDARD.encode_string(value.as_slice(), &mut body);
            body.push('"');
        }
        body.push_str("}}");
        Ok(body.into_bytes())
    }

    fn fits(&self, entries: &Entries) -> Result<(), SecretError> {
        let size = entries.iter().map(|(key, value)| key.len() + value.len()).sum();
        if size > LARGEST_SECRET {
            return Err(SecretError::TooLarge { secret: self.to_string(), size });
        }
        Ok(())
    }

    fn refused(&self, answer: &Answer) -> SecretError {
        SecretError::Refused { secret: self.to_string(), status: answer.status.as_u16() }
    }

    fn unreadable(&self) -> SecretError {
        SecretError::Unreadable { secret: self.to_string() }
    }

    fn unreachable(&self, error: CallError) -> SecretError {
        SecretError::Unreachable { secret: self.to_string(), source: Box::new(error) }
    }
}

impl fmt::Display for SecretStore {
    /// `namespace/name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretStore({self})")
    }
}

#[cfg(test)]
mod tests;
