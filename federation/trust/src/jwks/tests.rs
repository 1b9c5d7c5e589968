use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ca::{KeyKind, Root};
use crate::{Authority, Lifetime};

fn east() -> TrustDomain {
    "east.lab".parse().unwrap()
}

fn year() -> Lifetime {
    Lifetime { not_before: 1_800_000_000, not_after: 1_831_536_000 }
}

fn bundle(authorities: &[&Authority]) -> Bundle {
    Bundle {
        trust_domain: east(),
        authorities: authorities.iter().map(|authority| authority.bundle_authority()).collect(),
        sequence: 7,
        refresh_hint: 300,
    }
}

fn authority() -> Authority {
    Authority::create(&east(), year()).unwrap()
}

fn x5c(authority: &Authority) -> String {
    STANDARD.encode(authority.certificate())
}

#[test]
fn a_bundle_is_read_back_as_it_was_written() {
    let root = Root::create(KeyKind::Rsa3072, year()).unwrap();
    let rsa = root.issue(&east(), KeyKind::Rsa3072, year()).unwrap();
    let ecdsa = root.issue(&east(), KeyKind::EcdsaP384, year()).unwrap();
    for bundle in [bundle(&[&authority(), &rsa, &ecdsa]), bundle(&[])] {
        assert_eq!(from_jwks(&east(), &to_jwks(&bundle)).unwrap(), bundle);
    }
}

#[test]
fn it_is_written_as_the_standard_asks() {
    let authority = authority();
    let document: Value = serde_json::from_str(&to_jwks(&bundle(&[&authority]))).unwrap();
    assert_eq!(document["spiffe_sequence"], 7);
    assert_eq!(document["spiffe_refresh_hint"], 300);
    let key = &document["keys"][0];
    assert_eq!((&key["kty"], &key["use"], &key["crv"]), (&json!("EC"), &json!("x509-svid"), &json!("P-256")));
    assert_eq!(key["x5c"], json!([x5c(&authority)]));
    assert!(key.get("kid").is_none());
    for coordinate in ["x", "y"] {
        assert_eq!(URL_SAFE_NO_PAD.decode(key[coordinate].as_str().unwrap()).unwrap().len(), 32);
    }
}

#[test]
fn what_is_of_no_use_here_is_passed_over() {
    let (first, second) = (authority(), authority());
    let text = json!({"keys": [
        {"kty": "EC", "use": "jwt-svid", "kid": "a", "x5c": ["?"]},
        {"kty": "EC", "x5c": [x5c(&second)]},
        {"kty": "EC", "use": "x509-svid"},
        {"kty": "EC", "use": "x509-svid", "x5c": [x5c(&first), "?"]},
        {"kty": "EC", "use": "x509-svid", "x5c": [x5c(&first)]},
    ], "more": true});
    let read = from_jwks(&east(), &text.to_string()).unwrap();
    assert_eq!(read.authorities, [first.bundle_authority()]);
    assert_eq!((read.sequence, read.refresh_hint), (0, 0));
}

#[test]
fn what_is_no_bundle_is_refused_whole() {
    let west = Authority::create(&"west.lab".parse().unwrap(), year()).unwrap();
    let entry = |x5c: &str| json!({"keys": [{"kty": "EC", "use": "x509-svid", "x5c": [x5c]}]}).to_string();
    assert!(matches!(from_jwks(&east(), &entry("?")), Err(JwksError::Base64(1))));
    assert!(matches!(from_jwks(&east(), &entry("aGVsbG8=")), Err(JwksError::Authority { number: 1, .. })));
    let foreign = from_jwks(&east(), &entry(&x5c(&west))).unwrap_err();
    assert!(matches!(foreign, JwksError::Authority { source: BundleError::ForeignDomain, .. }));
    let json = [
        "",
        "[]",
        "{}",
        r#"{"keys": null}"#,
        r#"{"keys": [], "keys": []}"#,
        r#"{"keys": [{"use": "x509-svid"}]}"#,
        r#"{"keys": [{"kty": "EC", "kty": "EC"}]}"#,
        r#"{"keys": [], "spiffe_sequence": -1}"#,
        r#"{"keys": [], "spiffe_sequence": "1"}"#,
        r#"{"keys": []} x"#,
    ];
    for text in json {
        assert!(matches!(from_jwks(&east(), text), Err(JwksError::Json(_))), "{text}");
    }
    let large = " ".repeat(MAX_JWKS + 1);
    assert!(matches!(from_jwks(&east(), &large), Err(JwksError::TooLarge(_))));
    let many: Vec<_> = (0..=MAX_AUTHORITIES)
        .map(|_| json!({"kty": "EC", "use": "x509-svid", "x5c": [x5c(&authority())]}))
        .collect();
    let many = json!({"keys": many}).to_string();
    assert!(matches!(from_jwks(&east(), &many), Err(JwksError::TooMany)));
}

proptest! {
    #[test]
    fn any_text_is_a_bundle_or_an_error(text in r#"[\[\]{}:,"a-z0-9 ]{0,80}"#) {
        let _ = from_jwks(&east(), &text);
    }
}
