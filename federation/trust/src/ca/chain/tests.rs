use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SanType,
};
use rustls_pki_types::CertificateDer;

use super::*;
use crate::ca::{KeyKind, Root};
use crate::lifetime::{Lifetime, system_time};
use crate::{Authority, PrivateKey};

const NOW: i64 = 1_800_000_000;

fn domain(text: &str) -> TrustDomain {
    text.parse().unwrap()
}

fn year() -> Lifetime {
    Lifetime { not_before: NOW, not_after: NOW + 365 * 86_400 }
}

/// An authority as another program would make it, changed by `how`.
struct Made {
    der: CertificateDer<'static>,
    params: CertificateParams,
    key: KeyPair,
}

fn make(name: &str, by: Option<&Made>, how: impl FnOnce(&mut CertificateParams)) -> Made {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    make_with(name, key, by, how)
}

fn make_with(name: &str, key: KeyPair, by: Option<&Made>, how: impl FnOnce(&mut CertificateParams)) -> Made {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    how(&mut params);
    let certificate = match by {
        Some(by) => params.signed_by(&key, &Issuer::from_params(&by.params, &by.key)).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    Made { der: certificate.der().clone(), params, key }
}

fn chain(made: &[&Made]) -> Result<CaChain, CaFault> {
    let mut certificates = made.iter().map(|made| made.der.clone());
    let first = certificates.next().unwrap();
    CaChain::new(first, certificates.collect())
}

fn fault(made: &[&Made]) -> CaFault {
    chain(made).unwrap_err()
}

#[test]
fn a_chain_of_any_make_is_taken_and_shown_without_its_root() {
    let root = make("root", None, |_| {});
    let middle = make("middle", Some(&root), |_| {});
    let signing = make("signing", Some(&middle), |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    });
    let whole = chain(&[&signing, &middle, &root]).unwrap();
    assert_eq!(whole.authority(), &signing.der);
    assert_eq!(whole.root(), Some(&root.der));
    assert_eq!(whole.shown().collect::<Vec<_>>(), [&signing.der, &middle.der]);
    assert_eq!(CaChain::from_pem(&whole.to_pem()).unwrap(), whole);

    let open = chain(&[&signing, &middle]).unwrap();
    assert_eq!(open.root(), None);
    assert_eq!(open.shown().count(), 2);

    let (stranger, known) = (make("root", None, |_| {}).der, root.der.clone());
    assert_eq!(open.clone().rooted_in(&[stranger.clone(), known]), Ok(whole.clone()));
    let unrelated = CaFault { number: 3, problem: CaProblem::Unrelated };
    assert_eq!(open.rooted_in(std::slice::from_ref(&stranger)), Err(unrelated));
    assert!(whole.rooted_in(&[stranger]).is_err());

    let alone = chain(&[&root]).unwrap();
    assert_eq!((alone.root(), alone.shown().count()), (Some(&root.der), 1));
}

#[test]
fn what_is_no_authority_is_refused_with_its_number() {
    let root = make("root", None, |_| {});
    let leaf = make("leaf", Some(&root), |params| params.is_ca = IsCa::NoCa);
    assert_eq!(fault(&[&leaf, &root]), CaFault { number: 1, problem: CaProblem::NotAuthority });
    let mute = make("mute", Some(&root), |params| params.key_usages = vec![KeyUsagePurpose::CrlSign]);
    assert_eq!(fault(&[&mute, &root]), CaFault { number: 1, problem: CaProblem::NoCertSign });
    let silent = make("silent", None, |params| params.key_usages.clear());
    assert_eq!(fault(&[&silent]), CaFault { number: 1, problem: CaProblem::NoCertSign });
    let below = make("below", Some(&silent), |_| {});
    assert!(chain(&[&below, &silent]).is_ok(), "openssl's own roots have no key usage");
    let named = make("named", None, |params| {
        params.subject_alt_names = vec![SanType::URI("spiffe://east.lab/ns/a/sa/b".try_into().unwrap())];
    });
    assert!(matches!(fault(&[&named]).problem, CaProblem::Name(name) if name.ends_with("/sa/b")));
    let odd = make_with("odd", KeyPair::generate_for(&PKCS_ED25519).unwrap(), None, |_| {});
    assert!(matches!(fault(&[&odd]).problem, CaProblem::Key(_)));
    let unreadable = CaChain::new(CertificateDer::from(vec![0x30, 3, 1, 1, 1]), Vec::new()).unwrap_err();
    assert_eq!(unreadable, CaFault { number: 1, problem: CaProblem::Malformed });
}

#[test]
fn what_stands_in_the_wrong_place_is_refused() {
    let root = make("root", None, |_| {});
    let middle = make("middle", Some(&root), |_| {});
    let signing = make("signing", Some(&middle), |_| {});
    let other = make("root", None, |_| {});
    assert_eq!(fault(&[&root, &middle]), CaFault { number: 2, problem: CaProblem::Order });
    assert_eq!(fault(&[&signing, &root, &middle]), CaFault { number: 2, problem: CaProblem::Order });
    assert_eq!(
        fault(&[&middle, &other]),
        CaFault { number: 2, problem: CaProblem::Unrelated },
        "a name is no proof"
    );
    assert_eq!(fault(&[&signing, &root]), CaFault { number: 2, problem: CaProblem::Unrelated });
    let narrow = make("narrow", None, |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let below = make("below", Some(&narrow), |_| {});
    let problem = CaProblem::PathLength { allowed: 0, below: 1 };
    assert_eq!(fault(&[&below, &narrow]), CaFault { number: 2, problem });
    let many = [&root, &root, &root, &root, &root, &root];
    assert_eq!(fault(&many), CaFault { number: 6, problem: CaProblem::TooMany(MAX_CA_CHAIN) });
}

#[test]
fn dates_are_asked_for_apart() {
    let authority = Authority::create(&domain("east.lab"), year()).unwrap();
    let problem = |at| authority.chain().at(system_time(at)).err().map(|fault| fault.problem);
    assert_eq!(problem(NOW - 1), Some(CaProblem::NotYetValid));
    assert_eq!(problem(NOW), None);
    assert_eq!(problem(NOW + 366 * 86_400), Some(CaProblem::Expired));
}

#[test]
fn a_root_signs_for_each_domain_apart() {
    let root = Root::create(KeyKind::EcdsaP256, year()).unwrap();
    let again = Root::load(&root.chain().to_pem(), &root.key_pem()).unwrap();
    let long = Lifetime { not_after: year().not_after + 10, ..year() };
    let east = again.issue(&domain("east.lab"), KeyKind::EcdsaP384, long).unwrap();
    assert_eq!(east.lifetime(), year(), "it does not outlive its root");
    assert_eq!(east.chain().root(), Some(root.chain().authority()));
    let pem = east.chain().to_pem();
    assert!(Authority::load(&domain("east.lab"), &pem, &east.key_pem()).is_ok());
    let foreign = Authority::load(&domain("west.lab"), &pem, &east.key_pem()).unwrap_err();
    assert!(matches!(foreign, TrustError::Ca(CaFault { problem: CaProblem::OtherDomain { .. }, .. })));
    let narrow = Root::load(&pem, &east.key_pem()).unwrap_err();
    assert!(matches!(narrow, TrustError::Ca(CaFault { problem: CaProblem::PathLength { .. }, .. })));
    let key = PrivateKey::generate().unwrap();
    assert!(matches!(Root::load(&root.chain().to_pem(), &key.to_pem()), Err(TrustError::KeyMismatch(_))));
}

#[test]
fn rsa_authorities_sign_as_well() {
    let root = Root::create(KeyKind::Rsa3072, year()).unwrap();
    let east = root.issue(&domain("east.lab"), KeyKind::Rsa3072, year()).unwrap();
    assert!(Authority::load(&domain("east.lab"), &east.chain().to_pem(), &east.key_pem()).is_ok());
}

#[test]
fn every_problem_says_what_to_do() {
    let east = domain("east.lab");
    let all = [
        CaProblem::Malformed,
        CaProblem::NotAuthority,
        CaProblem::NoCertSign,
        CaProblem::Key("RSA 1024".to_owned()),
        CaProblem::Signature("SHA-1".to_owned()),
        CaProblem::OtherDomain { found: "spiffe://west.lab".to_owned(), wanted: east },
        CaProblem::Name("spiffe://west.lab/a".to_owned()),
        CaProblem::Order,
        CaProblem::Unrelated,
        CaProblem::PathLength { allowed: 0, below: 1 },
        CaProblem::TooMany(MAX_CA_CHAIN),
        CaProblem::Expired,
        CaProblem::NotYetValid,
    ];
    for problem in all {
        let text = problem.to_string();
        assert!(text.contains("; "), "{text}");
    }
}

#[test]
fn an_authority_of_any_make_is_its_own_root_in_a_bundle() {
    use federation_model::Bundle;
    use federation_model::bundle::AuthorityDer;
    use rustls_pki_types::UnixTime;

    use crate::bundle_set::BundleSet;
    use crate::csr::verified_key;
    use crate::verify::verify_peer;

    let root = make("root", None, |_| {});
    let signing = make("signing", Some(&root), |params| {
        params.distinguished_name.push(DnType::OrganizationName, "Example, Inc.");
        params.distinguished_name.push(DnType::CountryName, "DE");
    });
    let pem = chain(&[&signing, &root]).unwrap().to_pem();
    let east = Authority::load(&domain("east.lab"), &pem, &signing.key.serialize_pem()).unwrap();
    let anchor = east.anchor(system_time(NOW)).unwrap();
    assert!(east.is_anchored_by(&anchor));
    assert_eq!(CaChain::new(anchor.clone(), Vec::new()).unwrap().root(), Some(&anchor), "it signed itself");

    let key = PrivateKey::generate().unwrap();
    let csr = verified_key(&key.csr().unwrap().0).unwrap();
    let id = "spiffe://east.lab/ns/demo/sa/echo".parse().unwrap();
    let leaf = east.issue(&csr, &id, year()).unwrap();
    let bundle = |der: &CertificateDer<'_>| Bundle {
        trust_domain: domain("east.lab"),
        authorities: vec![AuthorityDer(der.to_vec())],
        sequence: 1,
        refresh_hint: 0,
    };
    let judged = |bundle: Bundle| {
        let (bundles, _) = BundleSet::from_bundles([&bundle]);
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW.unsigned_abs() + 9));
        verify_peer(&leaf, &bundles, now)
    };
    assert_eq!(judged(bundle(&anchor)), Ok(id.clone()));
    assert_eq!(judged(bundle(&signing.der)), Ok(id));

    let own = Authority::create(&domain("east.lab"), year()).unwrap();
    assert_eq!(
        own.anchor(system_time(NOW)).unwrap(),
        *own.certificate(),
        "what is a root already stays what it is"
    );
    assert!(!own.is_anchored_by(&anchor));
}
