use std::time::SystemTime;

use super::*;
use crate::svid::Svid;

fn domain(text: &str) -> TrustDomain {
    text.parse().unwrap()
}

fn year() -> Lifetime {
    Lifetime::starting_at(SystemTime::now(), Duration::from_secs(365 * 86_400))
}

fn request(key: &PrivateKey) -> VerifiedCsr {
    verified_key(&key.csr().unwrap().0).unwrap()
}

#[test]
fn it_survives_being_written_and_loaded() {
    let made = Authority::create(&domain("east.lab"), year()).unwrap();
    let loaded = Authority::load(&domain("east.lab"), &made.cert_pem(), &made.key_pem()).unwrap();
    assert_eq!(loaded.fingerprint_hex(), made.fingerprint_hex());
    assert_eq!(loaded.lifetime(), made.lifetime());
    assert_eq!(loaded.bundle_authority(), made.bundle_authority());
}

#[test]
fn it_signs_only_inside_its_own_domain() {
    let authority = Authority::create(&domain("east.lab"), year()).unwrap();
    let csr = request(&PrivateKey::generate().unwrap());
    let foreign = "spiffe://west.lab/isthmus/gateway".parse().unwrap();
    let error = authority.issue(&csr, &foreign, year()).unwrap_err();
    assert!(matches!(error, TrustError::ForeignDomain { .. }), "{error}");
    assert!(Authority::load(&domain("west.lab"), &authority.cert_pem(), &authority.key_pem()).is_err());
}

#[test]
fn a_leaf_never_outlives_its_authority() {
    let short = Lifetime::starting_at(SystemTime::now(), Duration::from_secs(60));
    let authority = Authority::create(&domain("east.lab"), short).unwrap();
    let csr = request(&PrivateKey::generate().unwrap());
    let id = "spiffe://east.lab/isthmus/gateway".parse().unwrap();
    let chain = authority.issue(&csr, &id, year()).unwrap();
    assert_eq!(Svid::parse(&chain[0]).unwrap().lifetime.not_after, authority.lifetime().not_after);
    let later = Lifetime { not_before: short.not_after + 1, not_after: short.not_after + 9 };
    assert!(matches!(authority.issue(&csr, &id, later), Err(TrustError::AuthorityExpired { .. })));
}

#[test]
fn renewing_one_key_gives_another_serial_number() {
    let authority = Authority::create(&domain("east.lab"), year()).unwrap();
    let csr = request(&PrivateKey::generate().unwrap());
    let id = "spiffe://east.lab/isthmus/gateway".parse().unwrap();
    let serial = || {
        let chain = authority.issue(&csr, &id, year()).unwrap();
        let parsed = crate::svid::parse_certificate(&chain[0]).unwrap();
        parsed.raw_serial().to_vec()
    };
    assert_ne!(serial(), serial());
}

#[test]
fn debug_shows_no_key() {
    let authority = Authority::create(&domain("east.lab"), year()).unwrap();
    let shown = format!("{authority:?}");
    let secret = authority.key_pem();
    assert!(secret.lines().filter(|line| !line.starts_with("---")).all(|line| !shown.contains(line)));
    assert!(shown.len() < 200, "{shown}");
}

#[test]
fn texts_without_a_certificate_are_errors() {
    let made = Authority::create(&domain("east.lab"), year()).unwrap();
    for wrong in ["", "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n", &made.key_pem()] {
        assert!(Authority::load(&domain("east.lab"), wrong, &made.key_pem()).is_err(), "{wrong}");
    }
}
