//! An operator's calls, over real TLS.
#![allow(clippy::unwrap_used, reason = "a failed helper is a failed test")]

mod support;

use std::convert::Infallible;

use federation_api::federation as wire;
use federation_client::admin_streams::StreamError;
use federation_client::{AdminClient, ClientError, Servers};
use federation_model::{Bundle, Item, Revision, UnixMillis};
use federation_trust::infra::admin_id;
use federation_trust::{Identity, JoinTokenText};
use support::{Federation, clusterset, servers, timing};
use tonic::Code;

fn client(federation: &Federation, list: Servers, identity: Identity) -> AdminClient {
    AdminClient::connect(list, identity, &federation.bundle(), timing()).unwrap()
}

fn operator(federation: &Federation) -> Identity {
    federation.identity(&admin_id(&clusterset(), "ana").unwrap(), 600)
}

#[tokio::test]
async fn calls_are_answered_by_whichever_server_lives() {
    let federation = Federation::new();
    let (one, two) = (federation.start(1).await, federation.start(2).await);
    let west = Bundle {
        trust_domain: "west.lab".parse().unwrap(),
        authorities: vec![],
        sequence: 1,
        refresh_hint: 1,
    };
    federation.catalogue.send_modify(|catalogue| {
        catalogue.put(Item::Bundle(west.clone()));
    });
    let client = client(&federation, servers(&[&one, &two]), operator(&federation));
    assert_eq!(client.status().await.unwrap().server_id, 1);
    drop(one);
    assert_eq!(client.status().await.unwrap().server_id, 2);
    assert_eq!(client.status_of(&two.address).await.unwrap().clusterset, "lab");
    assert_eq!(client.members().await.unwrap().len(), 1);

    let add = wire::AddMemberRequest { id: 4, ..wire::AddMemberRequest::default() };
    assert_eq!(client.add_member(&add).await.unwrap().leader_id, 2);
    let check = wire::PromoteMemberRequest { id: 4, only_check: true };
    assert!(!client.promote_member(&check).await.unwrap().changed);
    let transfer = wire::TransferLeadershipRequest { to: Some(4) };
    assert_eq!(client.transfer_leadership(&transfer).await.unwrap().leader_id, 4);
    let unknown = client.remove_member(&wire::RemoveMemberRequest { id: 5 }).await.unwrap_err();
    assert_eq!(unknown.refusal(), Some(Code::NotFound));

    let created = client.create_token(&"east".parse().unwrap(), 0).await.unwrap();
    let token: JoinTokenText = created.token.parse().unwrap();
    assert_eq!(token.ca_sha256(), &federation.authority.fingerprint());
    assert_eq!(created.expires, UnixMillis(99));

    let catalog = client.catalog(None).await.unwrap();
    assert_eq!(catalog.view.bundles.values().collect::<Vec<_>>(), [&west]);
    assert_eq!((catalog.view.revision, catalog.leader_time), (Revision(1), UnixMillis(5)));
}

#[tokio::test]
async fn who_is_no_operator_is_refused_and_who_is_nobody_cannot_connect() {
    let federation = Federation::new();
    let server = federation.start(1).await;
    let agent = federation.agent("east", 600).get().unwrap();
    let error = client(&federation, servers(&[&server]), (*agent).clone()).status().await.unwrap_err();
    assert_eq!(error.refusal(), Some(Code::PermissionDenied));

    let stranger = operator(&Federation::new());
    let error = client(&federation, servers(&[&server]), stranger).status().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_server_of_another_authority_is_not_asked() {
    let (federation, impostor) = (Federation::new(), Federation::new());
    let server = impostor.start(1).await;
    let error = client(&federation, servers(&[&server]), operator(&federation)).status().await.unwrap_err();
    assert!(error.chain().contains("UnknownIssuer"), "{}", error.chain());
}

#[tokio::test]
async fn a_long_answer_is_taken_whole_and_a_follower_misses_nothing_when_a_stream_breaks() {
    let federation = Federation::new();
    let server = federation.start(1).await;
    let client = client(&federation, servers(&[&server]), operator(&federation));

    let mut backup = Vec::new();
    let taken = client.backup(|piece| {
        backup.extend_from_slice(piece);
        Ok::<_, Infallible>(())
    });
    taken.await.unwrap();
    assert_eq!(backup, b"one two");
    let full = client.backup(|_| Err("the disk is full")).await.unwrap_err();
    assert!(matches!(full, StreamError::Taker("the disk is full")));

    let mut numbers = Vec::new();
    let taken = client.audit(7, |record| {
        numbers.push(record.number);
        Ok::<_, Infallible>(())
    });
    taken.await.unwrap();
    assert_eq!(numbers, [8, 9]);
    // This server breaks off after two.
    let mut numbers = Vec::new();
    let followed = client.follow_audit(0, |record| {
        numbers.push(record.number);
        if numbers.len() < 7 { Ok(()) } else { Err("enough") }
    });
    assert!(matches!(followed.await, Err(StreamError::Taker("enough"))));
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
}
