//! What is wrong between us and the API server, told apart by what a person would do about it.

use std::error::Error;
use std::io;

use federation_kit::exit::chain;

/// Most characters of a text that the other side chose.
const MAX_DETAIL: usize = 300;

/// A request that came to nothing, and the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Nothing listens there.
    #[error(
        "the API server refuses connections; check that it runs, and the address in the kubeconfig ({detail})"
    )]
    Refused {
        /// What the system said.
        detail: String,
    },
    /// No way to it, no such name, or no answer.
    #[error("the API server cannot be reached; check its address, DNS and the network policies ({detail})")]
    Unreachable {
        /// What the system said.
        detail: String,
    },
    /// It is somebody else, or its CA is not the one that we were given.
    #[error(
        "the API server's certificate is not trusted; check certificate-authority-data and the host name in the \
         kubeconfig ({detail})"
    )]
    Certificate {
        /// What rustls said.
        detail: String,
    },
    /// 401.
    #[error(
        "the API server does not accept our token or client certificate; renew it in the kubeconfig, or check that \
         the service account still exists"
    )]
    Unauthorized,
    /// 403.
    #[error("our role lacks a rule ({detail}); `isthmus-agent check` lists what is missing")]
    Forbidden {
        /// What the API server said.
        detail: String,
    },
    /// 404.
    #[error("the API server does not know what was asked for ({detail})")]
    NotFound {
        /// What the API server said.
        detail: String,
    },
    /// 429, or 503 with a wish.
    #[error("the API server is too busy")]
    Busy,
    /// Any other answer that is not a success.
    #[error("the API server answers {code} ({detail})")]
    Answer {
        /// The HTTP status.
        code: u16,
        /// What the API server said.
        detail: String,
    },
    /// Something that is no answer of an API server.
    #[error("the answer is not an API server's; check that the address is not a proxy's ({detail})")]
    Nonsense {
        /// Where it stopped making sense.
        detail: String,
    },
}

impl Trouble {
    /// What an error of kube's means.
    pub fn of(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_status(status.code, &status.message),
            kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => Self::Nonsense { detail: detail(error) },
            kube::Error::Auth(_) => Self::Unauthorized,
            other => Self::of_transport(other),
        }
    }

    /// What an HTTP status means.
    pub fn of_status(code: u16, message: &str) -> Self {
        let detail = shortened(message);
        match code {
            401 => Self::Unauthorized,
            403 => Self::Forbidden { detail },
            404 => Self::NotFound { detail },
            429 => Self::Busy,
            _ => Self::Answer { code, detail },
        }
    }

    /// What an error below HTTP means: the first thing in its chain that says more than "failed".
    pub(crate) fn of_transport(error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(now) = cause {
            if let Some(tls) = now.downcast_ref::<rustls::Error>() {
                return Self::Certificate { detail: detail(tls) };
            }
            let io = now.downcast_ref::<io::Error>();
            if let Some(io) = io.filter(|io| io.kind() == io::ErrorKind::ConnectionRefused) {
                return Self::Refused { detail: detail(io) };
            }
            // The source of an I/O error is that of the error inside it, which is itself passed over.
            cause = match io.and_then(io::Error::get_ref) {
                Some(inner) => Some(inner),
                None => now.source(),
            };
        }
        Self::Unreachable { detail: detail(error) }
    }

    /// Whether there is certainly no API server there now.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

fn detail(error: &(dyn Error + 'static)) -> String {
    shortened(&chain(error).to_string())
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(MAX_DETAIL).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
