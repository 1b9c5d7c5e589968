//! Makes certificates, right and wrong ones, with every field open to change.
#![allow(dead_code, reason = "each test binary uses a part of this")]

use federation_model::Bundle;
use federation_model::bundle::AuthorityDer;
use federation_trust::{BundleSet, Identity, PrivateKey};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;

/// An authority whose every leaf can be edited before it is signed.
pub(crate) struct Maker {
    pub(crate) certificate: CertificateDer<'static>,
    params: CertificateParams,
    key: KeyPair,
    now: i64,
}

pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

pub(crate) fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

pub(crate) fn unedited(_: &mut CertificateParams) {}

fn authority_params(name: &str, now: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = at(now - 3_600);
    params.not_after = at(now + 3_600);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    params
}

impl Maker {
    /// A self-signed authority called `name`, valid an hour around `now`.
    pub(crate) fn root(name: &str, now: i64, edit: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = authority_params(name, now);
        edit(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { certificate, params, key, now }
    }

    /// An authority under this one.
    pub(crate) fn below(&self, name: &str, edit: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = authority_params(name, self.now);
        edit(&mut params);
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &issuer).unwrap().der().clone();
        Self { certificate, params, key, now: self.now }
    }

    /// A right leaf, edited. The chain holds it and this authority.
    pub(crate) fn leaf(
        &self,
        id: &str,
        edit: impl FnOnce(&mut CertificateParams),
    ) -> (Vec<CertificateDer<'static>>, PrivateKey) {
        let mut params = CertificateParams::default();
        params.not_before = at(self.now - 60);
        params.not_after = at(self.now + 60);
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![uri(id)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        edit(&mut params);
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        let leaf = params.signed_by(&key, &issuer).unwrap().der().clone();
        let key = PrivateKey::from_pem(&key.serialize_pem()).unwrap();
        (vec![leaf, self.certificate.clone()], key)
    }

    /// A right identity.
    pub(crate) fn identity(&self, id: &str) -> Identity {
        let (chain, key) = self.leaf(id, unedited);
        Identity::new(chain, &key).unwrap()
    }
}

/// A bundle of these authorities.
pub(crate) fn bundle(domain: &str, authorities: &[&Maker]) -> Bundle {
    Bundle {
        trust_domain: domain.parse().unwrap(),
        authorities: authorities.iter().map(|a| AuthorityDer(a.certificate.to_vec())).collect(),
        sequence: 1,
        refresh_hint: 300,
    }
}

/// A set in which nothing may be wrong.
pub(crate) fn bundles(all: &[Bundle]) -> BundleSet {
    let (set, problems) = BundleSet::from_bundles(all);
    assert_eq!(problems, []);
    set
}
