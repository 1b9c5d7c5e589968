use super::*;

fn condition(kind: ConditionKind, status: ConditionStatus, reason: &str) -> Condition {
    Condition { kind, status, reason: reason.to_owned(), message: "why".to_owned() }
}

fn told(before: &[Condition], after: &[Condition]) -> Vec<String> {
    let events = events(before, after).into_iter();
    events.map(|event| format!("{} {}: {}", event.kind.as_str(), event.reason, event.message)).collect()
}

#[test]
fn a_change_is_told_once_and_the_usual_is_not_told() {
    use ConditionKind::{Conflict, Ready, Valid};
    use ConditionStatus::{False, True};
    let valid = condition(Valid, True, "Valid");
    let no_service = condition(Valid, False, "NoService");
    let wrong_type = condition(Valid, False, "InvalidServiceType");
    let failed = condition(Ready, False, "Failed");
    let pending = condition(Ready, False, "Pending");
    let exported = condition(Ready, True, "Exported");
    let calm = condition(Conflict, False, "NoConflicts");
    let ports = condition(Conflict, True, "PortConflict");
    let more = condition(Conflict, True, "PortConflict,TypeConflict");
    let cases: [(&[&Condition], &[&Condition], &[&str]); 11] = [
        (&[], &[&valid, &pending], &[]),
        (&[&valid, &pending], &[&valid, &exported, &calm], &["Normal Exported: why"]),
        (&[&valid, &exported, &calm], &[&valid, &exported, &calm], &[]),
        (&[], &[&no_service, &failed], &["Warning NoService: why"]),
        (&[&no_service, &failed], &[&no_service, &failed], &[]),
        (&[&no_service, &failed], &[&wrong_type, &failed], &["Warning InvalidServiceType: why"]),
        (&[&no_service, &failed], &[&valid, &pending], &["Normal Valid: why"]),
        (&[&valid, &pending], &[&valid, &failed], &["Warning Refused: why"]),
        (&[&calm], &[&ports], &["Warning Conflict: why"]),
        (&[&ports], &[&more], &["Warning Conflict: why"]),
        (&[&more], &[&calm], &["Normal NoConflicts: why"]),
    ];
    for (before, after, expected) in cases {
        let owned = |list: &[&Condition]| list.iter().copied().cloned().collect::<Vec<_>>();
        assert_eq!(told(&owned(before), &owned(after)), expected, "{before:?} to {after:?}");
    }
}

#[test]
fn a_message_has_a_bound_in_bytes() {
    let long = Condition {
        message: "é".repeat(2_000),
        ..condition(ConditionKind::Conflict, ConditionStatus::True, "x")
    };
    let event = events(&[], &[long]).remove(0);
    assert!(event.message.len() <= MAX_MESSAGE && event.message.ends_with('…'));
}

#[test]
fn what_is_in_the_way_is_named_and_what_to_do_about_it() {
    let event = foreign_event(&Foreign { object: Object::Import("demo/echo".parse().unwrap()) });
    assert_eq!(
        event.message,
        "ServiceImport demo/echo has not the label app.kubernetes.io/managed-by: isthmus, so it is somebody else's and \
         left alone. Delete it, or give it the label, to have it written by this controller."
    );
    assert_eq!(event.kind, EventKind::Warning);
}
