use std::time::Duration;

use super::*;
use crate::Authority;
use crate::csr::verified_key;

fn issue(key: &PrivateKey, life: Duration) -> Vec<CertificateDer<'static>> {
    let domain = "east.lab".parse().unwrap();
    let now = SystemTime::now();
    let ten_years = Lifetime::starting_at(now, Duration::from_secs(315_360_000));
    let authority = Authority::create(&domain, ten_years).unwrap();
    let id = "spiffe://east.lab/isthmus/gateway".parse().unwrap();
    let csr = verified_key(&key.csr().unwrap().0).unwrap();
    authority.issue(&csr, &id, Lifetime::starting_at(now, life)).unwrap()
}

#[test]
fn it_round_trips_through_pem() {
    let key = PrivateKey::generate().unwrap();
    let identity = Identity::new(issue(&key, Duration::from_secs(600)), &key).unwrap();
    let (chain, key) = identity.to_pem();
    let again = Identity::from_pem(&chain, &key).unwrap();
    assert_eq!(again.chain(), identity.chain());
    assert_eq!(again.id().to_string(), "spiffe://east.lab/isthmus/gateway");
}

#[test]
fn it_is_renewed_at_half_of_its_life() {
    let key = PrivateKey::generate().unwrap();
    // One minute of back-dating makes the whole life 24 hours.
    let identity = Identity::new(issue(&key, Duration::from_secs(86_400 - 60)), &key).unwrap();
    assert_eq!(
        identity.not_after().duration_since(identity.not_before()).unwrap(),
        Duration::from_secs(86_400)
    );
    assert_eq!(
        identity.renew_at().duration_since(identity.not_before()).unwrap(),
        Duration::from_secs(43_200)
    );
}

#[test]
fn another_key_no_chain_and_an_authority_are_refused() {
    let key = PrivateKey::generate().unwrap();
    let chain = issue(&key, Duration::from_secs(600));
    let other = PrivateKey::generate().unwrap();
    assert!(matches!(Identity::new(chain.clone(), &other), Err(TrustError::KeyMismatch(_))));
    assert!(matches!(Identity::new(vec![], &key), Err(TrustError::NoCertificate)));
    assert!(matches!(Identity::new(chain[1..].to_vec(), &key), Err(TrustError::Svid(_))));
}

#[test]
fn debug_shows_the_id_and_no_key() {
    let key = PrivateKey::generate().unwrap();
    let identity = Identity::new(issue(&key, Duration::from_secs(600)), &key).unwrap();
    let shown = format!("{identity:?} {:?}", SharedIdentity::new(identity.clone()));
    assert!(shown.contains("spiffe://east.lab/isthmus/gateway"));
    let secret = identity.to_pem().1;
    assert!(secret.lines().filter(|line| !line.starts_with("---")).all(|line| !shown.contains(line)));
    assert!(!shown.contains("["), "no bytes are listed: {shown}");
}
