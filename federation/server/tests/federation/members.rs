//! Changes of the members, and what the audit says of them.

use federation_api::federation as wire;

use crate::harness::Federation;

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_changes_the_members_and_the_audit_says_so() {
    let federation = Federation::start().await;
    let (leader, follower) = (federation.leader().await, federation.follower().await);
    let third = (0..3).find(|server| ![leader, follower].contains(server)).unwrap();
    let id = |server: usize| federation.servers[server].id.0;

    let mut operator = federation.admin(leader);
    let to = wire::TransferLeadershipRequest { to: Some(id(follower)) };
    let handed_over = operator.transfer_leadership(to).await.unwrap().into_inner();
    assert_eq!(handed_over, wire::MembersChanged { changed: true, leader_id: id(follower) });
    // What was so before is no change, and what is refused is none either.
    assert!(!operator.transfer_leadership(to).await.unwrap().into_inner().changed);
    operator.remove_member(wire::RemoveMemberRequest { id: 99 }).await.unwrap_err();
    // Asked of the one that goes.
    let gone = wire::RemoveMemberRequest { id: id(third) };
    assert!(federation.admin(third).remove_member(gone).await.unwrap().into_inner().changed);

    let request = wire::AuditRequest { after: 0, follow: true };
    let mut records = federation.admin(follower).audit(request).await.unwrap().into_inner();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let record = records.message().await.unwrap().unwrap();
        if record.actor == "operator ana" {
            seen.push((record.action, record.subject));
        }
    }
    let expected = [("leadership_transferred", id(follower)), ("member_removed", id(third))];
    assert_eq!(seen, expected.map(|(action, of)| (action.to_owned(), format!("server {of}"))));
    federation.stop().await;
}
