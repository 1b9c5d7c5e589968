//! Whose token a call carries: asked of somebody who knows, which on Kubernetes is the API server.

use std::error::Error;
use std::fmt;

use futures::future::BoxFuture;

use crate::config::AccountName;

/// Longest token that is looked at, in bytes. Those of Kubernetes have about 1 KiB.
pub const MAX_TOKEN: usize = 16 * 1024;

/// Tells whose service-account token it is. The audience that a token must be for is the implementer's business, and so is
/// remembering answers: every call asks.
pub trait ReviewToken: fmt::Debug + Send + Sync + 'static {
    /// The account of a token that is good now. `token` has 1 to [`MAX_TOKEN`] bytes and must not be logged.
    fn review<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<AccountName, TokenRefused>>;
}

/// Why a token says nothing. Never holds any of the token.
#[derive(Debug, thiserror::Error)]
pub enum TokenRefused {
    /// It was judged and is not good: made up, expired, of another audience, or of somebody who is no service account.
    #[error("token is not good")]
    Invalid(#[source] Box<dyn Error + Send + Sync>),
    /// It could not be judged; asking again later may help.
    #[error("token cannot be judged")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}
