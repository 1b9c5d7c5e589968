use std::time::{Duration, SystemTime};

use super::*;
use crate::{Authority, PrivateKey};

fn bundle(domain: &str, authorities: Vec<AuthorityDer>) -> Bundle {
    Bundle { trust_domain: domain.parse().unwrap(), authorities, sequence: 1, refresh_hint: 300 }
}

fn authority(domain: &str) -> AuthorityDer {
    let lifetime = Lifetime::starting_at(SystemTime::now(), Duration::from_secs(3_600));
    Authority::create(&domain.parse().unwrap(), lifetime).unwrap().bundle_authority()
}

#[test]
fn good_authorities_are_used_and_bad_ones_named() {
    let self_signed_leaf = {
        let key = rcgen::KeyPair::generate().unwrap();
        AuthorityDer(rcgen::CertificateParams::default().self_signed(&key).unwrap().der().to_vec())
    };
    let cases = [
        (AuthorityDer(vec![]), BundleError::Malformed),
        (AuthorityDer(vec![0x30; 64]), BundleError::Malformed),
        (AuthorityDer(vec![0; MAX_AUTHORITY_BYTES + 1]), BundleError::TooLong(MAX_AUTHORITY_BYTES + 1)),
        (self_signed_leaf, BundleError::NotAuthority),
        (authority("west.lab"), BundleError::ForeignDomain),
    ];
    for (bad, expected) in cases {
        let east = bundle("east.lab", vec![bad, authority("east.lab")]);
        let (set, problems) = BundleSet::from_bundles([&east]);
        assert_eq!(problems, [(east.trust_domain.clone(), expected)]);
        assert_eq!(set.get(&east.trust_domain).unwrap().len(), 1);
    }
}

#[test]
fn an_empty_bundle_is_known_and_an_absent_one_is_not() {
    let (set, problems) = BundleSet::from_bundles([&bundle("east.lab", vec![])]);
    assert!(problems.is_empty());
    assert_eq!(set.get(&"east.lab".parse().unwrap()).map(<[_]>::len), Some(0));
    assert!(set.get(&"west.lab".parse().unwrap()).is_none());
}

#[test]
fn two_bundles_of_one_domain_are_never_merged() {
    let first = bundle("east.lab", vec![authority("east.lab")]);
    let second = bundle("east.lab", vec![authority("east.lab"), authority("east.lab")]);
    let (set, problems) = BundleSet::from_bundles([&first, &second]);
    assert_eq!(problems, [(first.trust_domain.clone(), BundleError::Duplicate)]);
    assert_eq!(set.get(&first.trust_domain).unwrap().len(), 1);
}

#[test]
fn a_bundle_over_its_bound_is_not_used_at_all() {
    let authority = authority("east.lab");
    let flood = bundle("east.lab", vec![authority; MAX_AUTHORITIES + 1]);
    let (set, problems) = BundleSet::from_bundles([&flood]);
    assert_eq!(problems, [(flood.trust_domain.clone(), BundleError::TooMany(MAX_AUTHORITIES + 1))]);
    assert_eq!(set.get(&flood.trust_domain).map(<[_]>::len), Some(0));
}

#[test]
fn clones_of_a_shared_set_see_the_replacement() {
    let shared = SharedBundles::default();
    let clone = shared.clone();
    shared.set(BundleSet::from_bundles([&bundle("east.lab", vec![])]).0);
    assert_eq!(clone.load().domains().count(), 1);
}

#[test]
fn an_authority_needs_its_own_key() {
    let domain = "east.lab".parse().unwrap();
    let lifetime = Lifetime::starting_at(SystemTime::now(), Duration::from_secs(60));
    let authority = Authority::create(&domain, lifetime).unwrap();
    let other = PrivateKey::generate().unwrap();
    assert!(Authority::load(&domain, &authority.cert_pem(), &other.to_pem()).is_err());
}

#[test]
fn a_bundle_round_trips_through_pem() {
    let bundle = bundle("east.lab", vec![authority("east.lab"), authority("east.lab")]);
    let again = bundle_from_pem(&bundle.trust_domain, &bundle_to_pem(&bundle)).unwrap();
    assert_eq!(again.authorities, bundle.authorities);
}

#[test]
fn the_domain_of_a_file_is_what_its_authorities_agree_on() {
    let pem = |domains: &[&str]| {
        bundle_to_pem(&bundle("east.lab", domains.iter().map(|domain| authority(domain)).collect()))
    };
    let east: TrustDomain = "east.lab".parse().unwrap();
    assert_eq!(domain_in_pem(&pem(&["east.lab", "east.lab"])).unwrap(), Some(east));
    assert_eq!(domain_in_pem(&pem(&["east.lab", "west.lab"])).unwrap(), None);
    let nameless =
        rcgen::CertificateParams::default().self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let nameless = bundle("east.lab", vec![AuthorityDer(nameless.der().to_vec())]);
    assert_eq!(domain_in_pem(&bundle_to_pem(&nameless)).unwrap(), None);
    assert!(domain_in_pem("nothing").is_err());
}
