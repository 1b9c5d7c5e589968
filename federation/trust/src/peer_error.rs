//! What is wrong with a peer's certificate.

use std::sync::Arc;

use federation_model::TrustDomain;
use federation_model::spiffe_id::InvalidSpiffeId;
use rustls::{CertificateError, OtherError};

use crate::authorize::NotAuthorized;

/// Why a peer is not believed, or not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The peer showed none.
    #[error("peer presented no certificate")]
    NoCertificate,
    /// More certificates, or a larger one, than any honest chain has.
    #[error("peer's certificate chain is too long")]
    TooLong,
    /// Not X.509, or an extension that cannot be read.
    #[error("peer's certificate is malformed")]
    Malformed,
    /// A CA certificate used as a leaf.
    #[error("peer's leaf is a CA certificate")]
    LeafIsAuthority,
    /// A leaf that claims the right to sign.
    #[error("peer's leaf has the key usage keyCertSign or cRLSign")]
    LeafMaySign,
    /// A leaf without the right to authenticate.
    #[error("peer's leaf lacks the key usage digitalSignature")]
    KeyUsage,
    /// A leaf, or an authority on the way, that is not for both sides of TLS.
    #[error("peer's certificate lacks the extended key usage serverAuth or clientAuth")]
    ExtendedKeyUsage,
    /// No URI name.
    #[error("peer's leaf has no SPIFFE id")]
    NoId,
    /// More than one URI name.
    #[error("peer's leaf has more than one URI name")]
    SeveralIds,
    /// The URI name is not a SPIFFE id.
    #[error("peer's leaf has an invalid SPIFFE id")]
    Id(#[source] InvalidSpiffeId),
    /// The leaf's trust domain is not one that we know.
    #[error("there is no bundle for trust domain {0}")]
    UnknownTrustDomain(TrustDomain),
    /// The domain is known, but none of its authorities holds now; an empty bundle revokes the domain.
    #[error("the bundle of trust domain {0} has no authority that is valid now")]
    NoAuthority(TrustDomain),
    /// No path from the leaf to an authority of its own trust domain.
    #[error("no authority of trust domain {0} vouches for the peer")]
    UnknownIssuer(TrustDomain),
    /// The leaf, or an authority on the way, is out of date.
    #[error("peer's certificate has expired")]
    Expired,
    /// The leaf, or an authority on the way, is from the future.
    #[error("peer's certificate is not yet valid")]
    NotYetValid,
    /// None of the certificates presented is the pinned authority.
    #[error("the pinned authority is not in the peer's chain")]
    NotPinned,
    /// A valid identity that may not do this.
    #[error("peer is not authorised")]
    NotAuthorized(#[source] NotAuthorized),
}

impl PeerError {
    /// A closed, stable word for metric labels.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoCertificate => "no_certificate",
            Self::TooLong => "chain_too_long",
            Self::Malformed => "malformed",
            Self::LeafIsAuthority => "leaf_is_authority",
            Self::LeafMaySign => "leaf_may_sign",
            Self::KeyUsage => "key_usage",
            Self::ExtendedKeyUsage => "extended_key_usage",
            Self::NoId => "no_id",
            Self::SeveralIds => "several_ids",
            Self::Id(_) => "invalid_id",
            Self::UnknownTrustDomain(_) => "unknown_trust_domain",
            Self::NoAuthority(_) => "no_authority",
            Self::UnknownIssuer(_) => "unknown_issuer",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::NotPinned => "not_pinned",
            Self::NotAuthorized(_) => "not_authorized",
        }
    }

    /// The error that makes rustls send the right alert: `unknown_ca` for every foreign authority, `access_denied` for
    /// every refusal by policy, so that neither says more than that.
    pub(crate) fn into_tls(self) -> rustls::Error {
        let error = match self {
            Self::NoCertificate => return rustls::Error::NoCertificatesPresented,
            Self::UnknownTrustDomain(_) | Self::NoAuthority(_) | Self::UnknownIssuer(_) | Self::NotPinned => {
                CertificateError::UnknownIssuer
            }
            Self::NotAuthorized(_) => CertificateError::ApplicationVerificationFailure,
            Self::Expired => CertificateError::Expired,
            Self::NotYetValid => CertificateError::NotValidYet,
            Self::Malformed => CertificateError::BadEncoding,
            Self::TooLong
            | Self::LeafIsAuthority
            | Self::LeafMaySign
            | Self::KeyUsage
            | Self::ExtendedKeyUsage
            | Self::NoId
            | Self::SeveralIds
            | Self::Id(_) => CertificateError::Other(OtherError(Arc::new(self))),
        };
        error.into()
    }

    /// The word for a failed handshake, if it failed for the peer's certificate. Coarser than [`Self::reason`] where
    /// the alert is: every foreign authority is `unknown_issuer`.
    pub fn reason_of_tls(error: &rustls::Error) -> Option<&'static str> {
        match error {
            rustls::Error::NoCertificatesPresented => Some("no_certificate"),
            rustls::Error::InvalidCertificate(error) => Some(match error {
                CertificateError::UnknownIssuer => "unknown_issuer",
                CertificateError::ApplicationVerificationFailure => "not_authorized",
                CertificateError::Expired => "expired",
                CertificateError::NotValidYet => "not_yet_valid",
                CertificateError::Other(OtherError(inner)) => {
                    inner.downcast_ref::<Self>().map_or("malformed", Self::reason)
                }
                _ => "malformed",
            }),
            _ => None,
        }
    }
}
