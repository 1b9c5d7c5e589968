//! What no input may do, however it was made. More runs: `PROPTEST_CASES=1000000 cargo test --release --test properties`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed helper is a failed test")]

mod support;

use std::sync::OnceLock;
use std::time::Duration;

use federation_model::spiffe_id::{MAX_SPIFFE_ID, SpiffeId};
use federation_model::trust_domain::MAX_TRUST_DOMAIN;
use federation_trust::BundleSet;
use federation_trust::jwks::{from_jwks, to_jwks};
use federation_trust::verify::verify_peer;
use proptest::prelude::*;
use rustls_pki_types::{CertificateDer, UnixTime};
use support::{Maker, bundle, bundles, unedited, uri};

const NOW: i64 = 1_800_000_000;

/// The rules of SPIFFE-ID sections 2.1 to 2.3, once more and letter by letter.
fn is_spiffe_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() > MAX_SPIFFE_ID || bytes.len() < 9 || !bytes[..9].eq_ignore_ascii_case(b"spiffe://") {
        return false;
    }
    let mut parts = bytes[9..].split(|byte| *byte == b'/');
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let domain = parts.next().unwrap();
    if domain.is_empty() || domain.len() > MAX_TRUST_DOMAIN || !domain.iter().all(letter) {
        return false;
    }
    let mut segments = 0;
    for segment in parts {
        segments += 1;
        if segment.is_empty() || segment == b"." || segment == b".." || !segment.iter().all(letter) {
            return false;
        }
    }
    segments > 0
}

/// Two clusters under one root, and everything that either could show.
struct World {
    bundles: BundleSet,
    /// What is true, with the id.
    leaves: [(CertificateDer<'static>, &'static str); 2],
    /// That, and what is not: other people's names, authorities as leaves.
    shown: Vec<CertificateDer<'static>>,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    const EAST: &str = "spiffe://east.lab/ns/demo/sa/echo";
    const WEST: &str = "spiffe://west.lab/ns/demo/sa/echo";
    WORLD.get_or_init(|| {
        let root = Maker::root("root", NOW, |params| {
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained)
        });
        let (east, west) = (root.below("east", unedited), root.below("west", unedited));
        let leaf = |by: &Maker, id: &str| by.leaf(id, unedited).0[0].clone();
        let twice = east.leaf(EAST, |params| params.subject_alt_names.push(uri(WEST))).0[0].clone();
        let leaves = [(leaf(&east, EAST), EAST), (leaf(&west, WEST), WEST)];
        let forged = [leaf(&west, EAST), leaf(&east, WEST), leaf(&root, EAST), twice];
        let authorities = [east.certificate.clone(), west.certificate.clone(), root.certificate.clone()];
        let shown = leaves.iter().map(|(leaf, _)| leaf.clone()).chain(forged).chain(authorities).collect();
        World {
            bundles: bundles(&[bundle("east.lab", &[&east]), bundle("west.lab", &[&west])]),
            leaves,
            shown,
        }
    })
}

/// A byte to change, somewhere.
fn damage() -> impl Strategy<Value = Option<(prop::sample::Index, prop::sample::Index, u8)>> {
    proptest::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1u8..))
}

proptest! {
    #[test]
    fn an_id_is_what_the_standard_says_and_nothing_else(
        text in prop_oneof![
            r"(spiffe|SPIFFE|Spiffe|https)://[a-zA-Z0-9._@:%-]{0,12}(/[a-zA-Z0-9._%?#~-]{0,4}){0,5}",
            r"spiffe://[a-z.]{1,260}/[a-z]{1,4}",
            r"spiffe://a/[a-z]{2030,2060}",
            ".{0,40}",
        ],
    ) {
        let parsed = text.parse::<SpiffeId>();
        prop_assert_eq!(parsed.is_ok(), is_spiffe_id(&text), "{}", text);
        if let Ok(id) = parsed {
            let written = id.to_string();
            prop_assert!(written.eq_ignore_ascii_case(&text));
            prop_assert_eq!(written.parse::<SpiffeId>().unwrap(), id);
        }
    }

    #[test]
    fn only_a_true_leaf_is_believed_whatever_is_shown_with_it(
        picked in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        damaged in damage(),
    ) {
        let world = world();
        let mut chain: Vec<_> = picked.iter().map(|index| world.shown[index.index(world.shown.len())].clone()).collect();
        if let Some((which, at, flip)) = damaged && !chain.is_empty() {
            let which = which.index(chain.len());
            let mut der = chain[which].to_vec();
            let at = at.index(der.len());
            der[at] ^= flip;
            chain[which] = der.into();
        }
        let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW.unsigned_abs()));
        let believed = verify_peer(&chain, &world.bundles, now).map(|id| id.to_string());
        let truth = world.leaves.iter().find(|(leaf, _)| chain.first() == Some(leaf)).map(|(_, id)| *id);
        match (believed, truth) {
            (Ok(believed), truth) => prop_assert_eq!(Some(believed.as_str()), truth),
            // A true leaf needs nothing else: its authority is in the bundle.
            (Err(error), truth) => prop_assert_eq!(truth, None, "{}", error),
        }
    }

    #[test]
    fn a_damaged_bundle_is_refused_or_still_a_bundle(
        at in any::<prop::sample::Index>(),
        with in prop_oneof![Just(String::new()), r#"[\[\]{}:,"a-zA-Z0-9+/= ]{1,6}"#],
        gone in 0usize..40,
    ) {
        static TEXT: OnceLock<String> = OnceLock::new();
        let text = TEXT.get_or_init(|| to_jwks(&bundle("east.lab", &[&Maker::root("east", NOW, unedited)])));
        let at = at.index(text.len());
        let end = (at + gone).min(text.len());
        let damaged = format!("{}{with}{}", &text[..at], &text[end..]);
        if let Ok(read) = from_jwks(&"east.lab".parse().unwrap(), &damaged) {
            prop_assert_eq!(BundleSet::from_bundles([&read]).1, []);
            // An authority whose key was damaged is still a certificate, vouches for nobody, and cannot be written as JWK.
            let again = from_jwks(&read.trust_domain, &to_jwks(&read)).unwrap();
            prop_assert!(again.authorities.iter().all(|authority| read.authorities.contains(authority)));
        }
    }
}
