//! `token create`: a right to join, once, as one named cluster.

use federation_model::ClusterId;
use serde::Serialize;
use serde_json::{Value, json};

use crate::connect::Federation;
use crate::failure::Failure;
use crate::output::{Report, age};

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CreatedToken {
    /// The cluster that may join with it.
    pub cluster: String,
    /// The whole token. It is a secret, and cannot be shown again.
    pub token: String,
    /// When it becomes worthless, in milliseconds since the Unix epoch.
    pub expires_unix_millis: u64,
    /// How long it is good for, in seconds.
    pub ttl_seconds: u64,
}

/// A Secret, as a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct SecretObject(Value);

impl Report for SecretObject {
    fn to_text(&self) -> String {
        format!("{:#}\n", self.0)
    }
}

/// Makes one.
pub async fn create(federation: &Federation, cluster: &ClusterId, ttl: u64) -> Result<CreatedToken, Failure> {
    let made = federation.create_token(cluster, ttl).await?;
    Ok(CreatedToken {
        cluster: cluster.to_string(),
        token: made.token,
        expires_unix_millis: made.expires.0,
        ttl_seconds: ttl,
    })
}

impl Report for CreatedToken {
    /// The token and nothing else, so that `> token-file` just works; the rest is a note on standard error.
    fn to_text(&self) -> String {
        format!("{}\n", self.token)
    }
}

impl CreatedToken {
    /// A Secret of Kubernetes with the token under the key `token`: where the chart's agent looks for it.
    pub fn secret_object(&self, namespace: &str, name: &str) -> SecretObject {
        SecretObject(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {"app.kubernetes.io/part-of": "isthmus"},
                "annotations": {"isthmus.dev/cluster": self.cluster},
            },
            "type": "Opaque",
            "stringData": {"token": self.token},
        }))
    }

    /// The same as YAML, for `kubectl apply -f -`. Names are labels, a token is of letters, digits, dots, dashes and
    /// underscores: nothing needs quoting but what could be read as a number.
    pub fn secret(&self, namespace: &str, name: &str) -> String {
        format!(
            "apiVersion: v1\n\
             kind: Secret\n\
             metadata:\n  \
               name: \"{name}\"\n  \
               namespace: \"{namespace}\"\n  \
               labels:\n    \
                 app.kubernetes.io/part-of: isthmus\n  \
               annotations:\n    \
                 isthmus.dev/cluster: \"{cluster}\"\n\
             type: Opaque\n\
             stringData:\n  \
               token: \"{token}\"\n",
            cluster = self.cluster,
            token = self.token,
        )
    }

    /// What a person should know, for standard error.
    pub fn note(&self) -> String {
        format!(
            "Good once, for {}, to join as {}. Put it into the file that the agent's join.token_file names, or apply it\nto that cluster if it is a Secret.\n",
            age(self.ttl_seconds.saturating_mul(1_000)),
            self.cluster
        )
    }
}
