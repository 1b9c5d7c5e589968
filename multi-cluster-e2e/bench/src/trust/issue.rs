//! A workload's certificate: our authority's, and the same fields by rcgen alone.

use std::time::{Duration, SystemTime};

use federation_trust::csr::{VerifiedCsr, verified_key};
use federation_trust::{Authority, Identity, Lifetime, PrivateKey};
use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose, SanType,
};

const ID: &str = "spiffe://east.lab/ns/demo/sa/echo";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Two issuers with one key.
pub(super) struct Issuers {
    authority: Authority,
    signer: Issuer<'static, KeyPair>,
    /// The workload's.
    key: PrivateKey,
    request: VerifiedCsr,
    public: KeyPair,
}

impl Issuers {
    pub(super) fn new() -> anyhow::Result<Self> {
        let authority =
            Authority::create(&"east.lab".parse()?, Lifetime::starting_at(SystemTime::now(), 9 * DAY))?;
        let signer =
            Issuer::from_ca_cert_der(authority.certificate(), KeyPair::from_pem(&authority.key_pem())?)?;
        let key = PrivateKey::generate()?;
        let (request, public) = (verified_key(&key.csr()?.0)?, KeyPair::from_pem(&key.to_pem())?);
        Ok(Self { authority, signer, key, request, public })
    }

    /// As an agent does it: signed, and read back by the rules that peers will hold it to.
    pub(super) fn ours(&self) -> anyhow::Result<Identity> {
        let lifetime = Lifetime::starting_at(SystemTime::now(), DAY);
        Ok(Identity::new(self.authority.issue(&self.request, &ID.parse()?, lifetime)?, &self.key)?)
    }

    pub(super) fn bare(&self) -> anyhow::Result<()> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(ID.try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        Ok(params.signed_by(&self.public, &self.signer).map(drop)?)
    }
}
