use proptest::prelude::*;

use super::*;

fn token() -> JoinTokenText {
    JoinTokenText::new("east".parse().unwrap(), [7; 32], [0xab; 32])
}

#[test]
fn the_text_is_as_documented() {
    let text = token().to_string();
    let expected = format!("isthmus1.east.{}.{}", URL_SAFE_NO_PAD.encode([7; 32]), "ab".repeat(32));
    assert_eq!(text, expected);
    assert_eq!(format!("{text}\n").parse::<JoinTokenText>().unwrap(), token());
}

#[test]
fn the_server_finds_the_hash_that_the_maker_stored() {
    let token = token();
    assert_eq!(secret_hash_of(&token.secret_text()).unwrap(), token.secret_hash());
    assert_eq!(secret_hash_of("short"), Err(InvalidJoinToken::Secret));
    assert_eq!(secret_hash_of(&"A".repeat(100_000)), Err(InvalidJoinToken::Secret));
}

#[test]
fn debug_hides_the_secret() {
    let token = token();
    let shown = format!("{token:?}");
    assert!(!shown.contains(token.secret_text().as_str()), "{shown}");
    assert!(!shown.contains("7, 7"), "{shown}");
}

#[test]
fn every_wrong_part_is_named() {
    let secret = URL_SAFE_NO_PAD.encode([7; 32]);
    let hash = "ab".repeat(32);
    let cases = [
        (String::new(), "join token does not start with isthmus1."),
        (format!("isthmus2.east.{secret}.{hash}"), "join token does not start with isthmus1."),
        (format!("isthmus1.east.{secret}.{}", "ab".repeat(200)), "join token does not start with isthmus1."),
        (format!("isthmus1.east.{secret}"), "join token does not have four parts"),
        (format!("isthmus1.east.{secret}.{hash}.x"), "join token does not have four parts"),
        (format!("isthmus1.East.{secret}.{hash}"), "join token has an invalid cluster"),
        (format!("isthmus1..{secret}.{hash}"), "join token has an invalid cluster"),
        (format!("isthmus1.east.{secret}=.{hash}"), "join token has an invalid secret"),
        (format!("isthmus1.east.AAAA.{hash}"), "join token has an invalid secret"),
        (format!("isthmus1.east.{secret}.{}", &hash[2..]), "join token has an invalid CA hash"),
        (format!("isthmus1.east.{secret}.{}", hash.to_uppercase()), "join token has an invalid CA hash"),
    ];
    for (text, expected) in cases {
        assert_eq!(text.parse::<JoinTokenText>().unwrap_err().to_string(), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn every_token_round_trips(
        cluster in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        secret: [u8; 32],
        ca: [u8; 32],
    ) {
        let token = JoinTokenText::new(cluster.parse().unwrap(), secret, ca);
        prop_assert_eq!(token.to_string().parse::<JoinTokenText>().unwrap(), token);
    }

    #[test]
    fn what_parses_is_written_back_the_same(text in "isthmus1\\.[a-z]{1,4}\\.[A-Za-z0-9_=-]{42,44}\\.[0-9a-fA-F]{64}") {
        if let Ok(token) = text.parse::<JoinTokenText>() {
            prop_assert_eq!(token.to_string(), text);
        }
    }

    #[test]
    fn any_text_is_an_answer_and_not_a_panic(text in "\\PC*") {
        let _ = text.parse::<JoinTokenText>();
        let _ = secret_hash_of(&text);
    }
}
