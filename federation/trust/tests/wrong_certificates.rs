//! Every way in which a peer's chain can be wrong, with the reason that it is refused for, and the few that are right.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed helper is a failed test")]

mod support;

use std::time::Duration;

use federation_trust::verify::{MAX_CHAIN, peer_id, verify_peer, verify_pinned};
use federation_trust::{BundleSet, PeerError};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    SanType,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};
use support::{Maker, at, bundle, bundles, unedited, uri};

const NOW: i64 = 1_800_000_000;
const ID: &str = "spiffe://east.lab/ns/demo/sa/echo";

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(NOW as u64))
}

/// `ok`, or the reason of the refusal.
fn judge(chain: &[CertificateDer<'_>], bundles: &BundleSet) -> &'static str {
    match verify_peer(chain, bundles, now()) {
        Ok(_) => "ok",
        Err(error) => error.reason(),
    }
}

#[test]
fn every_wrong_leaf_is_refused_for_its_reason() {
    let east = Maker::root("east", NOW, unedited);
    let trusted = bundles(&[bundle("east.lab", &[&east])]);
    type Edit = fn(&mut CertificateParams);
    let cases: [(&str, Edit, &str); 23] = [
        ("as it should be", unedited, "ok"),
        ("no extended key usage", |p| p.extended_key_usages.clear(), "ok"),
        (
            "a DNS name besides",
            |p| p.subject_alt_names.push(SanType::DnsName("a.b".try_into().unwrap())),
            "ok",
        ),
        ("expired", |p| p.not_after = at(NOW - 1), "expired"),
        ("not yet valid", |p| p.not_before = at(NOW + 1), "not_yet_valid"),
        (
            "another domain's id",
            |p| p.subject_alt_names = vec![uri("spiffe://south.lab/x")],
            "unknown_trust_domain",
        ),
        ("two ids", |p| p.subject_alt_names.push(uri("spiffe://east.lab/ns/demo/sa/two")), "several_ids"),
        ("the same id twice", |p| p.subject_alt_names.push(uri(ID)), "several_ids"),
        ("an id and a web address", |p| p.subject_alt_names.push(uri("https://east.lab/")), "several_ids"),
        ("no name", |p| p.subject_alt_names.clear(), "no_id"),
        (
            "only a DNS name",
            |p| p.subject_alt_names = vec![SanType::DnsName("a.b".try_into().unwrap())],
            "no_id",
        ),
        ("a web address", |p| p.subject_alt_names = vec![uri("https://east.lab/x")], "invalid_id"),
        ("an id without a path", |p| p.subject_alt_names = vec![uri("spiffe://east.lab")], "invalid_id"),
        ("a CA", |p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained), "leaf_is_authority"),
        ("may sign certificates", |p| p.key_usages.push(KeyUsagePurpose::KeyCertSign), "leaf_may_sign"),
        ("may sign revocations", |p| p.key_usages.push(KeyUsagePurpose::CrlSign), "leaf_may_sign"),
        ("no key usage", |p| p.key_usages.clear(), "key_usage"),
        ("no digitalSignature", |p| p.key_usages = vec![KeyUsagePurpose::KeyEncipherment], "key_usage"),
        (
            "only a server",
            |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
            "extended_key_usage",
        ),
        (
            "only a client",
            |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            "extended_key_usage",
        ),
        (
            "for signing code",
            |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning],
            "extended_key_usage",
        ),
        ("a critical unknown", |p| p.custom_extensions.push(critical(4)), "malformed"),
        ("a huge one", |p| p.custom_extensions.push(critical(20_000)), "chain_too_long"),
    ];
    for (what, edit, expected) in cases {
        let (chain, _) = east.leaf(ID, edit);
        assert_eq!(judge(&chain, &trusted), expected, "{what}");
    }
}

fn critical(bytes: usize) -> CustomExtension {
    // An OCTET STRING, in DER of long form, of so many zeroes.
    let mut content = vec![0x04, 0x82];
    content.extend(u16::try_from(bytes).unwrap().to_be_bytes());
    content.resize(bytes + 4, 0);
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], content);
    extension.set_criticality(true);
    extension
}

#[test]
fn chains_that_are_no_chains() {
    let east = Maker::root("east", NOW, unedited);
    let trusted = bundles(&[bundle("east.lab", &[&east])]);
    let (chain, _) = east.leaf(ID, unedited);
    let der = chain[0].to_vec();
    let single = |bytes: &[u8]| vec![CertificateDer::from(bytes.to_vec())];

    assert_eq!(judge(&[], &trusted), "no_certificate");
    assert_eq!(judge(&single(b""), &trusted), "malformed");
    assert_eq!(judge(&single(b"garbage"), &trusted), "malformed");
    assert_eq!(judge(&single(&der[..der.len() - 1]), &trusted), "malformed");
    assert_eq!(judge(&single(&[&der[..], &[0]].concat()), &trusted), "malformed");

    // The authority need not be sent, and what else is sent does no harm, up to the bound.
    assert_eq!(judge(&chain[..1], &trusted), "ok");
    let mut long = chain.clone();
    long.resize(MAX_CHAIN, chain[1].clone());
    assert_eq!(judge(&long, &trusted), "ok");
    long.push(chain[1].clone());
    assert_eq!(judge(&long, &trusted), "chain_too_long");
    assert_eq!(peer_id(&long), Err(PeerError::TooLong));
    assert_eq!(peer_id(&chain).unwrap().to_string(), ID);
}

#[test]
fn only_the_bundle_of_the_leafs_own_domain_counts() {
    let east = Maker::root("east", NOW, unedited);
    let west = Maker::root("west", NOW, unedited);
    // An attacker may choose the name of its authority, but not its key.
    let false_east = Maker::root("east", NOW, unedited);
    let trusted = bundles(&[bundle("east.lab", &[&east]), bundle("west.lab", &[&west])]);

    assert_eq!(judge(&west.leaf("spiffe://west.lab/x", unedited).0, &trusted), "ok");
    assert_eq!(judge(&west.leaf(ID, unedited).0, &trusted), "unknown_issuer");
    assert_eq!(judge(&false_east.leaf(ID, unedited).0, &trusted), "unknown_issuer");
    let self_signed = Maker::root("x", NOW, |p| {
        p.is_ca = IsCa::NoCa;
        p.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        p.subject_alt_names = vec![uri(ID)];
    });
    assert_eq!(judge(&[self_signed.certificate], &trusted), "unknown_issuer");

    // Rotation: both authorities of one bundle vouch.
    let next = Maker::root("east", NOW, unedited);
    let rotating = bundles(&[bundle("east.lab", &[&east, &next])]);
    assert_eq!(judge(&east.leaf(ID, unedited).0, &rotating), "ok");
    assert_eq!(judge(&next.leaf(ID, unedited).0, &rotating), "ok");
}

#[test]
fn a_bundle_without_a_valid_authority_revokes_its_domain() {
    let past = Maker::root("east", NOW, |p| p.not_after = at(NOW - 1));
    let future = Maker::root("east", NOW, |p| p.not_before = at(NOW + 1));
    for authority in [&past, &future] {
        let trusted = bundles(&[bundle("east.lab", &[authority])]);
        assert_eq!(judge(&authority.leaf(ID, unedited).0, &trusted), "no_authority");
    }
    assert_eq!(judge(&past.leaf(ID, unedited).0, &bundles(&[bundle("east.lab", &[])])), "no_authority");
}

#[test]
fn a_shared_root_makes_no_cluster_an_authority_of_another() {
    let root = Maker::root("root", NOW, |p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let east = root.below("east", unedited);
    let west = root.below("west", unedited);
    let trusted = bundles(&[bundle("east.lab", &[&east]), bundle("west.lab", &[&west])]);
    // The bundle's certificate is the anchor though it is not self-signed, and nothing above it is.
    assert_eq!(judge(&east.leaf(ID, unedited).0, &trusted), "ok");
    let mut forged = west.leaf(ID, unedited).0;
    forged.push(root.certificate.clone());
    assert_eq!(judge(&forged, &trusted), "unknown_issuer");
}

#[test]
fn authorities_on_the_way_are_held_to_the_rules() {
    let free = Maker::root("east", NOW, |p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(1)));
    let strict = Maker::root("east", NOW, unedited);
    type Edit = fn(&mut CertificateParams);
    let cases: [(&str, &Maker, Edit, &str); 7] = [
        ("allowed", &free, unedited, "ok"),
        ("path length 0", &strict, unedited, "unknown_issuer"),
        ("expired", &free, |p| p.not_after = at(NOW - 1), "expired"),
        ("not yet valid", &free, |p| p.not_before = at(NOW + 1), "not_yet_valid"),
        ("no CA", &free, |p| p.is_ca = IsCa::NoCa, "unknown_issuer"),
        ("may not sign", &free, |p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature], "unknown_issuer"),
        (
            "other use",
            &free,
            |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning],
            "extended_key_usage",
        ),
    ];
    for (what, anchor, edit, expected) in cases {
        let trusted = bundles(&[bundle("east.lab", &[anchor])]);
        let between = anchor.below("between", edit);
        assert_eq!(judge(&between.leaf(ID, unedited).0, &trusted), expected, "{what}");
    }
}

#[test]
fn a_pinned_authority_must_be_shown_and_must_have_signed() {
    let ours = Maker::root("lab", NOW, unedited);
    let other = Maker::root("lab", NOW, unedited);
    let pin = |der: &CertificateDer<'_>| <[u8; 32]>::from(Sha256::digest(der));
    let judge = |chain: &[CertificateDer<'_>], pin: [u8; 32]| match verify_pinned(chain, &pin, now()) {
        Ok(believed) => believed.id.to_string(),
        Err(error) => error.reason().to_owned(),
    };
    let id = "spiffe://lab/isthmus/server/1";
    let (chain, _) = ours.leaf(id, unedited);
    let ca = pin(&ours.certificate);
    assert_eq!(judge(&chain, ca), id);
    assert_eq!(judge(&chain[..1], ca), "not_pinned");
    assert_eq!(judge(&chain, pin(&other.certificate)), "not_pinned");
    assert_eq!(judge(&chain, pin(&chain[0])), "not_pinned");
    assert_eq!(judge(&[], ca), "no_certificate");
    // Showing the right authority beside a leaf of one's own is the obvious attack.
    let (forged, _) = other.leaf(id, unedited);
    assert_eq!(judge(&[forged[0].clone(), ours.certificate.clone()], ca), "unknown_issuer");
    // A certificate that is no authority vouches for nobody, whatever its hash.
    assert_eq!(judge(&[forged[0].clone(), chain[0].clone()], pin(&chain[0])), "no_authority");
    let (expired, _) = ours.leaf(id, |p| p.not_after = at(NOW - 1));
    assert_eq!(judge(&expired, ca), "expired");
}
