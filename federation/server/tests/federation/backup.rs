//! Backups and the audit.

use federation_api::federation as wire;
use federation_api::federation::publish_request::Message as Ask;
use federation_kit::testing::eventually;
use federation_model::Backup;

use crate::harness::{Federation, LONG, export, hello};
use crate::streams::Publisher;

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_from_any_server_holds_all_that_was_acknowledged() {
    let federation = Federation::start().await;
    let (leader, follower) = (federation.leader().await, federation.follower().await);
    let mut east = Publisher::open(federation.agent(leader, "east")).await.unwrap();
    east.commit(Ask::Hello(hello("east", '1'))).await;
    let revision = east.commit(Ask::Put(export("a", 1, &[]))).await;

    let mut pieces = federation.admin(follower).backup(wire::BackupRequest {}).await.unwrap().into_inner();
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.message().await.unwrap() {
        bytes.extend(piece.bytes);
    }
    let backup = Backup::from_bytes(&bytes).unwrap();
    assert!(backup.header.revision.0 > revision);
    assert_eq!((backup.header.clusters, backup.header.exports), (1, 1));
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_says_who_did_what_at_every_server_and_goes_on_as_it_happens() {
    let federation = Federation::start().await;
    let (leader, follower) = (federation.leader().await, federation.follower().await);
    let request = wire::AuditRequest { after: 0, follow: true };
    let mut followed = federation.admin(follower).audit(request).await.unwrap().into_inner();
    federation.token("east").await;
    let mut east = Publisher::open(federation.agent(leader, "east")).await.unwrap();
    east.commit(Ask::Hello(hello("east", '1'))).await;
    east.commit(Ask::Put(export("a", 1, &[]))).await;

    let mut seen = Vec::new();
    while seen.last().is_none_or(|(_, action, _)| action != "export_added") {
        let record = followed.message().await.unwrap().unwrap();
        seen.push((record.actor, record.action, record.subject));
    }
    let expected = [
        ("the servers", "vips_configured", ""),
        ("operator ana", "token_created", "east"),
        ("agent of east", "cluster_registered", ""),
        ("agent of east", "export_added", "demo/a"),
    ];
    assert_eq!(
        seen,
        expected.map(|(actor, action, of)| (actor.to_owned(), action.to_owned(), of.to_owned()))
    );

    // Without following, the stream ends; from where one was, nothing comes twice.
    let rest = async |server: usize| {
        let request = wire::AuditRequest { after: 3, follow: false };
        let mut records = federation.admin(server).audit(request).await.unwrap().into_inner();
        let mut numbers = Vec::new();
        while let Some(record) = records.message().await.unwrap() {
            numbers.push(record.number);
        }
        (numbers == [4]).then_some(())
    };
    for server in 0..3 {
        eventually(LONG, async || rest(server).await).await.unwrap();
    }
    federation.stop().await;
}
