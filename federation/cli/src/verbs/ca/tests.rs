use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use federation_trust::Identity;
use federation_trust::ca::KeyKind;

use super::*;
use crate::arguments::BundleFormat;

fn lab() -> TrustDomain {
    "lab".parse().unwrap()
}

fn east() -> TrustDomain {
    "east.lab".parse().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn new(dir: &Path) -> Target<'_> {
    Target { dir, force: false }
}

fn begin(dir: &Path) -> Made {
    init(&lab(), new(dir), 3650, KeyKind::EcdsaP256).unwrap()
}

fn wanted(domain: &TrustDomain) -> issue::Wanted<'_> {
    issue::Wanted { domain, days: 3650, kind: KeyKind::EcdsaP256, secret: Some("istio-system") }
}

#[test]
fn a_new_authority_comes_with_an_operator_whom_it_vouches_for() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("ca");
    let made = begin(&out);
    assert_eq!(made.files.len(), 7);
    for file in &made.files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(&out), 0o700);

    let text = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    let authority = Authority::load(&lab(), &text("ca.pem"), &text("ca-key.pem")).unwrap();
    assert_eq!(made.ca_sha256, authority.fingerprint_hex());
    assert_eq!(
        text("ca.pem").matches("BEGIN").count(),
        1,
        "whoever believes the servers does not believe the root"
    );
    let operator = Identity::from_pem(&text("admin/cert.pem"), &text("admin/key.pem")).unwrap();
    assert_eq!(operator.id().to_string(), "spiffe://lab/isthmus/admin/operator");
    assert_eq!(text("admin/ca.pem"), text("ca.pem"));
}

#[test]
fn nothing_is_overwritten_without_force() {
    let dir = tempfile::tempdir().unwrap();
    begin(dir.path());
    let read = || fs::read_to_string(dir.path().join("root-key.pem")).unwrap();
    let before = read();
    let failure = init(&lab(), new(dir.path()), 10, KeyKind::EcdsaP256).unwrap_err();
    assert_eq!(failure.kind(), Kind::Refused);
    assert!(failure.to_string().contains("root-cert.pem is there already"), "{failure}");
    assert_eq!(read(), before);
    // One file of several is enough.
    fs::remove_file(dir.path().join("root-cert.pem")).unwrap();
    assert!(init(&lab(), new(dir.path()), 10, KeyKind::EcdsaP256).is_err());
    assert!(!dir.path().join("root-cert.pem").exists(), "all or none");

    let forced = Target { dir: dir.path(), force: true };
    init(&lab(), forced, 10, KeyKind::EcdsaP256).unwrap();
    assert_ne!(read(), before);
    assert_eq!(mode(&dir.path().join("root-key.pem")), 0o600);
}

#[test]
fn more_operators_are_signed_by_the_same_authority() {
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca");
    let first = begin(&ca);
    let out = dir.path().join("alice");
    let second = admin(&lab(), &ca, "alice", new(&out), 30).unwrap();
    assert_eq!((second.trust_domain.as_str(), second.ca_sha256), ("lab", first.ca_sha256));
    let text = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    let alice = Identity::from_pem(&text("cert.pem"), &text("key.pem")).unwrap();
    assert_eq!(alice.id().to_string(), "spiffe://lab/isthmus/admin/alice");
}

#[test]
fn what_is_no_authority_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let failure = admin(&lab(), dir.path(), "alice", new(&out), 1).unwrap_err();
    assert!(failure.to_string().contains("ca init"), "{failure}");
    fs::write(dir.path().join("ca.pem"), "no certificate").unwrap();
    fs::write(dir.path().join("ca-key.pem"), "no key").unwrap();
    assert!(admin(&lab(), dir.path(), "alice", new(&out), 1).is_err());
    let ca = dir.path().join("ca");
    begin(&ca);
    let failure = admin(&lab(), &ca, "no/slash or space", new(&out), 1).unwrap_err();
    assert_eq!(failure.kind(), Kind::Usage);
}

#[test]
fn a_clusters_authority_is_written_as_istio_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, out) = (dir.path().join("ca"), dir.path().join("east"));
    begin(&ca);
    let domain = east();
    issue(&ca, &wanted(&domain), new(&out)).unwrap();
    let text = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(text("cert-chain.pem"), text("ca-cert.pem") + &text("root-cert.pem"));
    assert_eq!(text("root-cert.pem"), fs::read_to_string(ca.join("root-cert.pem")).unwrap());
    let authority = Authority::load(&domain, &text("cert-chain.pem"), &text("ca-key.pem")).unwrap();
    assert_eq!(authority.chain().shown().count(), 1, "the root is known to whoever believes it");
    assert!(text("secret.yaml").contains("name: cacerts\n  namespace: \"istio-system\""));

    // The directory and the Secret say the same, and nothing is wrong with either.
    for path in [out.clone(), out.join("secret.yaml")] {
        let report = inspect(&[path]).unwrap();
        report.verdict().unwrap();
        let kinds: Vec<_> = report.found[0].certificates.iter().map(|c| c.kind.as_str()).collect();
        assert_eq!(kinds, ["intermediate", "root"]);
        assert_eq!(report.found[0].certificates[0].names, ["spiffe://east.lab"]);
        assert_eq!(report.found[0].certificates[0].path_length, Some(0));
    }
    // It signs leaves, and no authorities.
    let failure = issue(&out, &wanted(&domain), new(&dir.path().join("more"))).unwrap_err();
    assert!(failure.cause().contains("its path length is 0"), "{failure}");
}

#[test]
fn a_bundle_has_the_clusters_authority_and_not_the_root() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, out) = (dir.path().join("ca"), dir.path().join("east"));
    begin(&ca);
    let domain = east();
    issue(&ca, &wanted(&domain), new(&out)).unwrap();
    let as_pem = bundle::Wanted { format: BundleFormat::Pem, sequence: None, refresh_hint: None };
    let pem = bundle::convert(&domain, &out, as_pem).unwrap();
    assert_eq!(pem, fs::read_to_string(out.join("ca-cert.pem")).unwrap());

    let as_jwks = bundle::Wanted { format: BundleFormat::Jwks, sequence: Some(4), refresh_hint: Some(60) };
    let file = dir.path().join("east.jwks");
    fs::write(&file, bundle::convert(&domain, &out, as_jwks).unwrap()).unwrap();
    assert_eq!(bundle::convert(&domain, &file, as_pem).unwrap(), pem);
    let read = bundle::read(&domain, &file).unwrap();
    assert_eq!((read.sequence, read.refresh_hint), (4, 60));
    let foreign = bundle::convert(&"west.lab".parse().unwrap(), &file, as_pem).unwrap_err();
    assert!(foreign.cause().contains("another trust domain"), "{foreign}");
}

#[test]
fn a_chain_is_believed_by_the_bundle_of_its_own_domain_only() {
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca");
    begin(&ca);
    let chain = ca.join("admin/cert.pem");
    let believed = verify(&chain, &lab(), &ca.join("ca.pem")).unwrap();
    assert_eq!(believed.id, "spiffe://lab/isthmus/admin/operator");
    let out = dir.path().join("east");
    let domain = east();
    issue(&ca, &wanted(&domain), new(&out)).unwrap();
    let failure = verify(&chain, &domain, &out).unwrap_err();
    assert_eq!(failure.reason(), Some("unknown_trust_domain"), "the same root is above both");
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, out) = (dir.path().join("ca"), dir.path().join("east"));
    begin(&ca);
    issue(&ca, &wanted(&east()), new(&out)).unwrap();
    let copy = |from: &Path, to: &str| fs::copy(from, out.join(to)).unwrap();
    let problems = || {
        let report = inspect(std::slice::from_ref(&out)).unwrap();
        assert_eq!(report.verdict().is_err(), report.found.iter().any(|found| !found.problems.is_empty()));
        report.to_text()
    };
    copy(&ca.join("ca-key.pem"), "ca-key.pem");
    assert!(problems().contains("the key is not that of the first certificate"), "{}", problems());
    copy(&ca.join("ca.pem"), "ca-cert.pem");
    assert!(problems().contains("does not begin with the certificate of ca-cert.pem"), "{}", problems());
    copy(&ca.join("root-cert.pem"), "cert-chain.pem");
    copy(&ca.join("root-cert.pem"), "ca-cert.pem");
    copy(&ca.join("ca.pem"), "root-cert.pem");
    assert!(problems().contains("did not sign the one before"), "{}", problems());
    let nothing = inspect(&[dir.path()]).unwrap_err();
    assert!(nothing.to_string().contains("ca-cert.pem"), "{nothing}");
}
