//! Gateways' tokens, judged by the cluster's API server.

use agent_kubernetes::tokens::{TokenError, TokenReviewer};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::config::AccountName;
use crate::control::{ReviewToken, TokenRefused};

/// Whom a gateway's projected token must be for.
pub(super) const AUDIENCE: &str = "isthmus-agent";

/// Asks by TokenReview; remembers answers for a short while.
#[derive(Debug)]
pub(super) struct ApiServerReviewer(pub(super) TokenReviewer);

impl ReviewToken for ApiServerReviewer {
    fn review<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<AccountName, TokenRefused>> {
        async move {
            let account = self.0.review(token, AUDIENCE).await.map_err(refused)?;
            // What the API server names is a namespace; one that is none of ours may be nobody.
            let namespace =
                account.namespace.parse().map_err(|error| TokenRefused::Invalid(Box::new(error)))?;
            Ok(AccountName { namespace, name: account.name })
        }
        .boxed()
    }
}

fn refused(error: TokenError) -> TokenRefused {
    match &error {
        TokenError::Unavailable(_) => TokenRefused::Unavailable(Box::new(error)),
        TokenError::Size { .. }
        | TokenError::Refused(_)
        | TokenError::Audience(_)
        | TokenError::NotAServiceAccount => TokenRefused::Invalid(Box::new(error)),
    }
}
