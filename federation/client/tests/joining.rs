//! Becoming a member, over real TLS.
#![allow(clippy::unwrap_used, reason = "a failed helper is a failed test")]

mod support;

use federation_client::{ClientError, Servers, join};
use federation_trust::{JoinTokenText, PrivateKey};
use support::{Federation, clusterset, servers, timing};
use tonic::Code;

fn token(federation: &Federation) -> JoinTokenText {
    JoinTokenText::generate("east".parse().unwrap(), federation.authority.fingerprint())
}

#[tokio::test]
async fn a_token_and_an_address_are_enough() {
    let federation = Federation::new();
    let server = federation.start(1).await;
    // The first address is dead: the next is asked.
    let list = Servers::new(vec!["127.0.0.1:1".to_owned(), server.address.clone()]).unwrap();
    let key = PrivateKey::generate().unwrap();
    let joined = join(&list, &token(&federation), &key, &timing()).await.unwrap();
    assert_eq!(joined.identity.id().to_string(), "spiffe://lab/isthmus/agent/east");
    assert_eq!(joined.clusterset, clusterset());
    assert_eq!(joined.bundle, federation.bundle());
    assert_eq!(joined.servers, std::slice::from_ref(&server.address));

    // The answer may have been lost: the same key may ask again, another may not.
    join(&list, &token(&federation), &key, &timing()).await.unwrap();
    let thief = PrivateKey::generate().unwrap();
    let error = join(&list, &token(&federation), &thief, &timing()).await.unwrap_err();
    assert!(error.is_final(), "{error}");
    assert_eq!(error.refusal(), Some(Code::PermissionDenied));
}

#[tokio::test]
async fn a_server_of_another_authority_is_never_told_the_token() {
    let federation = Federation::new();
    let server = federation.start(1).await;
    let other = JoinTokenText::generate("east".parse().unwrap(), [7; 32]);
    let key = PrivateKey::generate().unwrap();
    let error = join(&servers(&[&server]), &other, &key, &timing()).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert!(error.chain().contains("UnknownIssuer"), "{}", error.chain());
    assert_eq!(federation.rules.lock().unwrap().token_used_by, None);
}

#[tokio::test]
async fn a_certificate_for_somebody_else_is_not_taken() {
    let federation = Federation::new();
    federation.rule(|rules| rules.issue_for = Some("west".to_owned()));
    let server = federation.start(1).await;
    let key = PrivateKey::generate().unwrap();
    let error = join(&servers(&[&server]), &token(&federation), &key, &timing()).await.unwrap_err();
    assert!(error.chain().contains("spiffe://lab/isthmus/agent/west"), "{}", error.chain());
}
