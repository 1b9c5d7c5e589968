//! Becoming a member, once in the life of a data directory.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use federation_client::{ClientError, Servers, Timing, join};
use federation_kit::backoff::Backoff;
use federation_kit::exit::{Exit, Failure};
use federation_kit::files::{self, FileError};
use federation_trust::{JoinTokenText, PrivateKey, TrustError};

use super::Membership;
use super::membership::MembershipError;
use crate::config::Config;
use crate::local::data_dir::{DataDir, DataDirError};

/// The key that joins, kept until it has: the same key may use the same token again when an answer was lost.
const KEY: &str = "join.key";
/// Largest token file, in bytes.
const MAX_TOKEN: u64 = 4 * 1024;

/// Why this agent is not a member.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// There is nothing to join with.
    #[error(
        "this agent has not joined yet and there is no join.token_file; make a token with `isthmus token create`"
    )]
    NoToken,
    /// The papers ran out while the agent was down, and there is nothing to join with again.
    #[error(
        "the certificate of this agent ran out; make a new token with `isthmus token create` and set join.token_file"
    )]
    Expired,
    /// The token's file cannot be read.
    #[error("join token")]
    TokenFile(#[source] FileError),
    /// It holds no token.
    #[error("{} does not hold a join token", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: federation_trust::join_token::InvalidJoinToken,
    },
    /// The token is for another cluster.
    #[error("{} holds a token for cluster {token}, and this is the agent of {cluster}", path.display())]
    OtherCluster {
        /// The file.
        path: PathBuf,
        /// Whose the token is.
        token: String,
        /// Who we are.
        cluster: String,
    },
    /// The servers belong to another clusterset.
    #[error("the servers are of clusterset {found}, and the configuration says {expected}")]
    OtherClusterset {
        /// Theirs.
        found: String,
        /// Ours.
        expected: String,
    },
    /// The answer is no.
    #[error("not allowed to join")]
    Refused(#[source] ClientError),
    /// Keys.
    #[error("key for joining")]
    Key(#[source] TrustError),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DataDirError),
    /// What is on disk.
    #[error(transparent)]
    Membership(#[from] MembershipError),
}

impl JoinError {
    /// Whether somebody can put it right while the agent waits, by another token.
    pub fn waits_for_token(&self) -> bool {
        match self {
            Self::NoToken
            | Self::Expired
            | Self::TokenFile(_)
            | Self::Token { .. }
            | Self::OtherCluster { .. }
            | Self::Refused(_) => true,
            Self::OtherClusterset { .. } | Self::Key(_) | Self::Disk(_) | Self::Membership(_) => false,
        }
    }
}

impl From<JoinError> for Failure {
    fn from(error: JoinError) -> Self {
        let exit = match &error {
            JoinError::NoToken
            | JoinError::Expired
            | JoinError::TokenFile(_)
            | JoinError::Token { .. }
            | JoinError::OtherCluster { .. }
            | JoinError::OtherClusterset { .. } => Exit::Usage,
            JoinError::Refused(_) => Exit::Unavailable,
            JoinError::Key(_) | JoinError::Disk(_) | JoinError::Membership(_) => Exit::Io,
        };
        Self::new(exit, error)
    }
}

/// Makes the key that will join, if this agent is no member yet, so that it can be kept before it is used. Says whether
/// there is need for it. Blocks on the disk.
///
/// # Errors
/// When the disk cannot be read or written.
pub fn prepare(data: &DataDir, config: &Config) -> Result<bool, JoinError> {
    let found = Membership::load(data, &config.clusterset, &config.cluster)?;
    match found.filter(|found| found.holds(SystemTime::now())) {
        Some(_) => Ok(false),
        None => key(data).map(|_| true),
    }
}

/// The papers on disk if they hold; otherwise joins, for as long as it takes to reach a server.
///
/// # Errors
/// When it cannot become a member without somebody doing something.
pub async fn member(data: &DataDir, config: &Config) -> Result<Membership, JoinError> {
    let found = Membership::load(data, &config.clusterset, &config.cluster)?;
    let had = found.is_some();
    if let Some(found) = found.filter(|found| found.holds(SystemTime::now())) {
        return Ok(found);
    }
    let Some(path) = &config.token_file else {
        return Err(if had { JoinError::Expired } else { JoinError::NoToken });
    };
    let token = read_token(path, config)?;
    let key = key(data)?;
    let joined = join_until(&config.servers, &token, &key).await?;
    if joined.clusterset != config.clusterset {
        let (found, expected) = (joined.clusterset.to_string(), config.clusterset.to_string());
        return Err(JoinError::OtherClusterset { found, expected });
    }
    let membership = Membership::from(joined);
    membership.save(data)?;
    // The papers hold the key now. A key that stays behind does no harm: the token is used up.
    let _ = std::fs::remove_file(data.file(KEY));
    data.note_written();
    tracing::info!(id = %membership.identity.id(), "joined the federation");
    Ok(membership)
}

async fn join_until(
    servers: &Servers,
    token: &JoinTokenText,
    key: &PrivateKey,
) -> Result<federation_client::Joined, JoinError> {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    loop {
        match join(servers, token, key, &Timing::default()).await {
            Ok(joined) => return Ok(joined),
            Err(error) if error.is_final() => return Err(JoinError::Refused(error)),
            Err(error) => {
                tracing::warn!(error = error.chain(), "cannot join yet, will try again");
                backoff.wait().await;
            }
        }
    }
}

/// Whether there is a token that fits this agent.
///
/// # Errors
/// What is wrong with it.
pub fn token_of(config: &Config) -> Result<(), JoinError> {
    let path = config.token_file.as_ref().ok_or(JoinError::NoToken)?;
    read_token(path, config).map(drop)
}

fn read_token(path: &Path, config: &Config) -> Result<JoinTokenText, JoinError> {
    let bytes = files::read_bounded(path, MAX_TOKEN).map_err(JoinError::TokenFile)?;
    let text = String::from_utf8_lossy(&bytes);
    let token: JoinTokenText =
        text.trim().parse().map_err(|source| JoinError::Token { path: path.to_owned(), source })?;
    if token.cluster() == &config.cluster {
        return Ok(token);
    }
    let (token, cluster) = (token.cluster().to_string(), config.cluster.to_string());
    Err(JoinError::OtherCluster { path: path.to_owned(), token, cluster })
}

fn key(data: &DataDir) -> Result<PrivateKey, JoinError> {
    let path = data.file(KEY);
    match files::read_bounded(&path, MAX_TOKEN) {
        Ok(pem) => PrivateKey::from_pem(&String::from_utf8_lossy(&pem)).map_err(JoinError::Key),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = PrivateKey::generate().map_err(JoinError::Key)?;
            files::write_atomic(&path, key.to_pem().as_bytes(), 0o600).map_err(DataDirError::File)?;
            data.note_written();
            Ok(key)
        }
        Err(error) => Err(DataDirError::File(error).into()),
    }
}
