//! `token create`: a right to join, once, as one named cluster.

use federation_model::ClusterId;
use serde::Serialize;

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
    /// What a person should know, for standard error.
    pub fn note(&self) -> String {
        format!(
            "Good once, for {}, to join as {}. Put it into the file that the agent's join.token_file names.\n",
            age(self.ttl_seconds.saturating_mul(1_000)),
            self.cluster
        )
    }
}
