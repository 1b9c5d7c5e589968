//! Who may call over TLS: bearers of tokens of the service accounts that are gateways.
//!
//! The judgement comes before a byte of the request's body is read. A caller is told that it is not believed
//! (`Unauthenticated`) or that it may not (`PermissionDenied`), and never which accounts may.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use federation_kit::exit::chain;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tonic::Status;
use tonic::codegen::http::HeaderMap;
use tonic::codegen::http::header::AUTHORIZATION;

use super::review::{MAX_TOKEN, ReviewToken, TokenRefused};
use crate::config::AccountName;

/// The token of a stream that stays open is judged again so often: a stream must not outlive its bearer's right by more
/// than this. With the memory of the reviewer this is one review in ten minutes and gateway.
pub const JUDGE_AGAIN: Duration = Duration::from_secs(600);

/// Why a call was refused; the values of the metric's `reason` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallRefusal {
    /// There is no token, or what is there cannot be one.
    NoToken,
    /// The token is not good.
    BadToken,
    /// The token is good, and its account is not one that may.
    OtherAccount,
    /// Nobody could judge the token.
    NotJudged,
}

impl CallRefusal {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::NoToken, Self::BadToken, Self::OtherAccount, Self::NotJudged];

    /// The label's value.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::BadToken => "bad_token",
            Self::OtherAccount => "other_account",
            Self::NotJudged => "not_judged",
        }
    }

    /// What the caller hears.
    fn status(self) -> Status {
        match self {
            Self::NoToken => {
                Status::unauthenticated("a service-account token is needed: authorization: Bearer")
            }
            Self::BadToken => Status::unauthenticated("the token is not accepted"),
            Self::OtherAccount => Status::permission_denied("this account may not"),
            Self::NotJudged => Status::unavailable("the token cannot be judged now"),
        }
    }
}

/// Judges calls. Cheap to clone; clones count together.
#[derive(Clone)]
pub struct Guard {
    reviewer: Arc<dyn ReviewToken>,
    accounts: Arc<BTreeSet<AccountName>>,
    refused: Family<[(&'static str, &'static str); 1], Counter>,
}

/// A call that was let in, found in its extensions. Holds the token, to judge it again.
#[derive(Clone)]
pub struct Admission {
    guard: Guard,
    token: Arc<str>,
}

impl Guard {
    /// Lets `accounts` in. Registers `gateway_calls_refused{reason}`.
    pub fn new(
        reviewer: Arc<dyn ReviewToken>,
        accounts: BTreeSet<AccountName>,
        registry: &mut Registry,
    ) -> Self {
        let refused = Family::<[(&'static str, &'static str); 1], Counter>::default();
        for reason in CallRefusal::ALL {
            drop(refused.get_or_create(&[("reason", reason.label())]));
        }
        registry.register(
            "gateway_calls_refused",
            "Calls over TLS that were refused for their token, by reason",
            refused.clone(),
        );
        Self { reviewer, accounts: Arc::new(accounts), refused }
    }

    /// How many were refused for this reason.
    pub fn refusals(&self, reason: CallRefusal) -> u64 {
        self.refused.get_or_create(&[("reason", reason.label())]).get()
    }

    /// Judges a call by its headers.
    pub(super) async fn admit(&self, headers: &HeaderMap) -> Result<Admission, Status> {
        let admission = match bearer(headers) {
            Some(token) => Admission { guard: self.clone(), token: token.into() },
            None => return Err(self.refuse(CallRefusal::NoToken)),
        };
        match self.judge(&admission.token).await {
            Ok(()) => Ok(admission),
            Err(reason) => Err(self.refuse(reason)),
        }
    }

    fn refuse(&self, reason: CallRefusal) -> Status {
        self.refused.get_or_create(&[("reason", reason.label())]).inc();
        reason.status()
    }

    async fn judge(&self, token: &str) -> Result<(), CallRefusal> {
        match self.reviewer.review(token).await {
            Ok(account) if self.accounts.contains(&account) => Ok(()),
            Ok(account) => {
                tracing::warn!(%account, "service account is not one of a gateway's");
                Err(CallRefusal::OtherAccount)
            }
            Err(error @ TokenRefused::Invalid(_)) => {
                tracing::debug!(error = %chain(&error), "gateway's token refused");
                Err(CallRefusal::BadToken)
            }
            Err(error @ TokenRefused::Unavailable(_)) => {
                tracing::warn!(error = %chain(&error), "gateway's token not judged");
                Err(CallRefusal::NotJudged)
            }
        }
    }
}

impl Admission {
    /// Judges the token every [`JUDGE_AGAIN`], and ends when it is good no more. When nobody can judge it the stream goes
    /// on: what was let in once is not cut off because the API server is away.
    pub async fn ended(self) -> Status {
        loop {
            tokio::time::sleep(JUDGE_AGAIN).await;
            match self.guard.judge(&self.token).await {
                Ok(()) | Err(CallRefusal::NotJudged) => {}
                Err(reason) => return self.guard.refuse(reason),
            }
        }
    }
}

/// The token, if there is exactly one that could be one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (given.next()?, given.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let plausible =
        !token.is_empty() && token.len() <= MAX_TOKEN && token.bytes().all(|b| b.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && plausible).then_some(token)
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("accounts", &self.accounts).finish_non_exhaustive()
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::FutureExt;
    use futures::future::BoxFuture;

    use super::*;

    /// Gives the same answer to everybody until it is told another.
    #[derive(Debug)]
    struct FakeReviewer(Mutex<fn() -> Result<AccountName, TokenRefused>>);

    impl ReviewToken for FakeReviewer {
        fn review<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<AccountName, TokenRefused>> {
            let answer = *self.0.lock().unwrap();
            async move { answer() }.boxed()
        }
    }

    fn good() -> Result<AccountName, TokenRefused> {
        Ok("isthmus-system/isthmus-gateway".parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_once_its_token_is_judged_bad_and_not_while_nobody_can_judge() {
        let reviewer = Arc::new(FakeReviewer(Mutex::new(good)));
        let accounts = BTreeSet::from([good().unwrap()]);
        let guard = Guard::new(Arc::clone(&reviewer) as _, accounts, &mut Registry::default());
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, "Bearer secret".parse().unwrap());
        let admission = guard.admit(&headers).await.unwrap();
        assert!(!format!("{admission:?} {guard:?}").contains("secret"));
        let ended = admission.ended();
        tokio::pin!(ended);
        let hours = Duration::from_secs(3 * 3_600);
        assert!(tokio::time::timeout(hours, &mut ended).await.is_err());
        *reviewer.0.lock().unwrap() = || Err(TokenRefused::Unavailable("away".into()));
        assert!(tokio::time::timeout(hours, &mut ended).await.is_err());
        *reviewer.0.lock().unwrap() = || Err(TokenRefused::Invalid("expired".into()));
        let status = tokio::time::timeout(JUDGE_AGAIN, &mut ended).await.unwrap();
        assert_eq!(status.code(), tonic::Code::Unauthenticated);
        assert_eq!(guard.refusals(CallRefusal::BadToken), 1);
        assert_eq!(guard.refusals(CallRefusal::NotJudged), 0);
    }

    #[test]
    fn only_one_plausible_bearer_token_is_one() {
        let headers = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            headers
        };
        assert_eq!(bearer(&headers(&["Bearer abc.def"])), Some("abc.def"));
        assert_eq!(bearer(&headers(&["bearer abc"])), Some("abc"));
        let long = format!("Bearer {}", "x".repeat(MAX_TOKEN + 1));
        for wrong in [
            &[][..],
            &["abc"],
            &["Bearer "],
            &["Bearer  abc"],
            &["Bearer a b"],
            &["Basic abc"],
            &["Bearer a", "Bearer a"],
            &[&long],
        ] {
            assert_eq!(bearer(&headers(wrong)), None, "{wrong:?}");
        }
    }
}
