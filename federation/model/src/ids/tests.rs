use proptest::prelude::*;

use super::*;

#[test]
fn labels_are_checked_at_the_border() {
    let long = "a".repeat(64);
    let cases: [(&str, Result<(), InvalidId>); 8] = [
        ("east", Ok(())),
        ("a", Ok(())),
        ("a-1", Ok(())),
        ("", Err(InvalidId::Empty { kind: "cluster id" })),
        (&long, Err(InvalidId::TooLong { kind: "cluster id", len: 64, max: 63 })),
        ("-east", Err(InvalidId::Edge { kind: "cluster id" })),
        ("east-", Err(InvalidId::Edge { kind: "cluster id" })),
        (
            "e_st",
            Err(InvalidId::Character {
                kind: "cluster id",
                found: '_',
                at: 1,
                allowed: "lower-case letters, digits and '-'",
            }),
        ),
    ];
    for (text, want) in cases {
        assert_eq!(text.parse::<ClusterId>().map(|_| ()), want, "{text:?}");
    }
}

#[test]
fn a_stored_id_is_parsed_again() {
    assert!(serde_json::from_str::<ClusterId>("\"east\"").is_ok());
    let refused = serde_json::from_str::<ClusterId>("\"East\"").unwrap_err().to_string();
    assert!(refused.contains("cluster id has the character 'E'"), "{refused}");
}

#[test]
fn a_service_id_needs_both_parts() {
    assert_eq!("demo/echo".parse::<ServiceId>().unwrap().host(), "echo.demo.svc.clusterset.local");
    assert!(matches!("echo".parse::<ServiceId>(), Err(InvalidServiceId::NoSlash(_))));
    assert!(matches!("demo/".parse::<ServiceId>(), Err(InvalidServiceId::Part(InvalidId::Empty { .. }))));
}

#[test]
fn an_instance_id_is_exactly_32_hex_digits() {
    assert!("0123456789abcdef0123456789abcdef".parse::<InstanceId>().is_ok());
    assert!("0123".parse::<InstanceId>().is_err());
    assert!("0123456789ABCDEF0123456789abcdef".parse::<InstanceId>().is_err());
}

proptest! {
    #[test]
    fn parsing_any_text_never_panics_and_round_trips(text in ".{0,80}") {
        if let Ok(id) = text.parse::<ClusterId>() {
            prop_assert_eq!(id.as_str(), text.as_str());
            prop_assert!(text.len() <= MAX_LABEL);
        }
        let _ = text.parse::<ServiceId>();
        let _ = text.parse::<Zone>();
    }
}
