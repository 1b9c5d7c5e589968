use std::time::Duration;

use super::*;
use crate::apply::fake::{Fake, Wrong};

const AUDIENCE: &str = "isthmus-agent";

fn reviewer() -> (Fake, TokenReviewer) {
    let fake = Fake::new();
    let reviewer = TokenReviewer::new(fake.client());
    (fake, reviewer)
}

#[test]
fn a_service_account_has_a_namespace_and_a_name() {
    let account = ServiceAccount::of_user("system:serviceaccount:mesh:gateway").unwrap();
    assert_eq!(account.to_string(), "mesh/gateway");
    let others =
        ["jane", "system:serviceaccount:mesh", "system:serviceaccount::x", "system:serviceaccount:a:b:c", ""];
    assert!(others.iter().all(|user| ServiceAccount::of_user(user).is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_good_token_is_asked_about_once_a_minute() {
    let (fake, reviewer) = reviewer();
    for _ in 0..5 {
        assert_eq!(reviewer.review("opaque", AUDIENCE).await.unwrap().to_string(), "mesh/gateway");
    }
    assert_eq!(fake.calls().len(), 1);
    tokio::time::sleep(Duration::from_secs(61)).await;
    reviewer.review("opaque", AUDIENCE).await.unwrap();
    assert_eq!(fake.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_expires_sooner_is_asked_about_sooner() {
    let (fake, reviewer) = reviewer();
    let token = expiry::token_that_expires_in(Duration::from_secs(20));
    reviewer.review(&token, AUDIENCE).await.unwrap();
    tokio::time::sleep(Duration::from_secs(21)).await;
    reviewer.review(&token, AUDIENCE).await.unwrap();
    assert_eq!(fake.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn bad_tokens_are_refused_and_forgotten_soon() {
    let (fake, reviewer) = reviewer();
    for _ in 0..3 {
        assert!(matches!(reviewer.review("bad", AUDIENCE).await, Err(TokenError::Refused(_))));
    }
    assert_eq!(fake.calls().len(), 1);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(reviewer.review("bad", AUDIENCE).await.is_err());
    assert_eq!(fake.calls().len(), 2);
    assert!(matches!(reviewer.review("opaque", "another").await, Err(TokenError::Audience(_))));
    assert!(matches!(reviewer.review("user", AUDIENCE).await, Err(TokenError::NotAServiceAccount)));
    for token in [String::new(), "x".repeat(20_000)] {
        assert!(matches!(reviewer.review(&token, AUDIENCE).await, Err(TokenError::Size { .. })));
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_in_trouble_is_no_verdict() {
    let (fake, reviewer) = reviewer();
    fake.fail("tokenreviews", 1, Wrong::Says(500, "{}".into(), None));
    assert!(matches!(reviewer.review("opaque", AUDIENCE).await, Err(TokenError::Unavailable(_))));
    assert!(reviewer.review("opaque", AUDIENCE).await.is_ok(), "asked again at once");
}

#[tokio::test(start_paused = true)]
async fn many_who_bring_the_same_token_ask_once_and_one_who_leaves_harms_nobody() {
    let (fake, reviewer) = reviewer();
    fake.slow(Duration::from_secs(1));
    let impatient = tokio::time::timeout(Duration::from_millis(500), reviewer.review("opaque", AUDIENCE));
    let (given_up, one, other) =
        tokio::join!(impatient, reviewer.review("opaque", AUDIENCE), reviewer.review("opaque", AUDIENCE),);
    assert!(given_up.is_err() && one.is_ok() && other.is_ok());
    assert_eq!(fake.calls().len(), 1);
    // Callers that give up alone leave nothing behind, however many.
    for index in 0..100 {
        let token = format!("t{index}");
        let given_up =
            tokio::time::timeout(Duration::from_millis(1), reviewer.review(&token, AUDIENCE)).await;
        assert!(given_up.is_err());
    }
    assert_eq!(lock(&reviewer.memory).len(), (1, 0));
    assert!(reviewer.review("fresh", AUDIENCE).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_bad_tokens_pushes_no_good_one_out() {
    let (fake, reviewer) = reviewer();
    reviewer.review("opaque", AUDIENCE).await.unwrap();
    fake.slow(Duration::ZERO);
    for index in 0..2000 {
        let _ = reviewer.review(&format!("bad{index}"), AUDIENCE).await;
    }
    assert!(lock(&reviewer.memory).len().0 <= memory::MOST);
    let asked = fake.calls().len();
    reviewer.review("opaque", AUDIENCE).await.unwrap();
    assert_eq!(fake.calls().len(), asked);
}
