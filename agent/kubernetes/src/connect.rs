//! The client of the cluster's API server: from a kubeconfig, or from what Kubernetes gives every pod.
//!
//! Making a client asks the API server nothing: an agent must start, and serve from its snapshot, while it is gone.
//! Whether it answers is asked by [`probe`]; what went wrong, with the next step, is [`Trouble`]'s to say.

mod trouble;

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

pub use trouble::Trouble;

/// The directory in which Kubernetes gives a pod its token and the API server's CA.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// A connection is to the cluster's own API server: if it takes longer, another attempt is better.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How to find the API server. Neither given: the pod's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientOptions {
    /// A kubeconfig. Relative paths in it are relative to it.
    pub kubeconfig: Option<PathBuf>,
    /// A context of it; the current one if none is named.
    pub context: Option<String>,
}

/// Why there is no client. None of these holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig cannot be used.
    #[error(
        "cannot use the kubeconfig {}; `kubectl --kubeconfig {} config view` shows what is in it",
        path.display(), path.display()
    )]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: KubeconfigError,
    },
    /// The kubeconfig is not YAML of a kubeconfig. The parser's own words are left out: they quote the file, and with it
    /// its tokens.
    #[error("{} is not a kubeconfig; `kubectl --kubeconfig {} config view` says where", path.display(), path.display())]
    NotAKubeconfig {
        /// The file.
        path: PathBuf,
    },
    /// The user of the kubeconfig has credentials that cannot be had. What a credential plugin said is left out: it may
    /// be the credential.
    #[error(
        "cannot get the credentials that the kubeconfig names: its token file or its credential plugin fails; \
         try `kubectl auth whoami` with the same kubeconfig"
    )]
    Credentials,
    /// A context is named without a kubeconfig to look in.
    #[error("context {context:?} is named, but no kubeconfig: set source.kubernetes.kubeconfig as well")]
    ContextAlone {
        /// The context.
        context: String,
    },
    /// Neither a kubeconfig nor a pod's service account.
    #[error(
        "not in a pod of Kubernetes: {SERVICE_ACCOUNT} or KUBERNETES_SERVICE_HOST is missing; \
         set source.kubernetes.kubeconfig, or let the pod have its service account's token"
    )]
    NotInCluster(#[source] kube::config::InClusterError),
    /// The CA, the certificate or the key in it cannot be used.
    #[error("the CA, certificate or key for the API server cannot be used")]
    Tls(#[source] kube::Error),
}

/// Makes a client. It sends as fast as it is asked to, and repeats nothing by itself: whoever asks knows best when to
/// ask again. Tokens from files are read again every minute, as is the pod's CA. A process without a default rustls
/// provider is given aws-lc-rs by kube.
///
/// # Errors
/// When the kubeconfig, or what the pod was given, cannot be used. The API server is not asked.
pub async fn connect(options: &ClientOptions) -> Result<Client, ConnectError> {
    let mut config = match (&options.kubeconfig, &options.context) {
        (Some(path), context) => from_file(path, context.clone()).await?,
        (None, Some(context)) => return Err(ConnectError::ContextAlone { context: context.clone() }),
        (None, None) => Config::incluster().map_err(ConnectError::NotInCluster)?,
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // kube's own policy repeats for minutes without a word, on 429, 503 and 504.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| match error {
        kube::Error::Auth(_) => ConnectError::Credentials,
        other => ConnectError::Tls(other),
    })
}

async fn from_file(path: &Path, context: Option<String>) -> Result<Config, ConnectError> {
    let wrong = |source| match source {
        KubeconfigError::Parse(_) => ConnectError::NotAKubeconfig { path: path.to_owned() },
        source => ConnectError::Kubeconfig { path: path.to_owned(), source },
    };
    let found = Kubeconfig::read_from(path).map_err(wrong)?;
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(found, &options).await.map_err(wrong)
}

/// Asks the API server for its version.
///
/// # Errors
/// With what is wrong and what to do about it.
pub async fn probe(client: &Client) -> Result<String, Trouble> {
    match tokio::time::timeout(2 * CONNECT_TIMEOUT, client.apiserver_version()).await {
        Ok(Ok(version)) => Ok(version.git_version),
        Ok(Err(error)) => Err(Trouble::of(&error)),
        Err(_) => Err(Trouble::Unreachable { detail: "it did not answer in time".to_owned() }),
    }
}

#[cfg(test)]
mod tests;
