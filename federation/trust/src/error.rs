//! Why this side could not make or read a key, a certificate or a TLS configuration. What is wrong with a *peer's*
//! certificate is a [`crate::PeerError`].

use federation_model::TrustDomain;

use crate::peer_error::PeerError;

/// A failure with our own material.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A key could not be made or read. The reason never quotes the key.
    #[error("private key is unusable")]
    Key(#[source] rcgen::Error),
    /// A certificate or request could not be made.
    #[error("certificate could not be issued")]
    Issue(#[source] rcgen::Error),
    /// A request of our own does not hold up.
    #[error("certificate request is unusable")]
    Csr(#[source] crate::csr::CsrError),
    /// A PEM text could not be read.
    #[error("PEM text is malformed: {0}")]
    Pem(rustls_pki_types::pem::Error),
    /// The PEM text holds no certificate.
    #[error("there is no certificate in the PEM text")]
    NoCertificate,
    /// A certificate of ours breaks the rules that peers will hold it to.
    #[error("certificate is not a valid X509-SVID")]
    Svid(#[source] PeerError),
    /// Key and certificate do not belong together.
    #[error("private key does not belong to the certificate")]
    KeyMismatch(#[source] rustls::Error),
    /// The certificate may not sign.
    #[error("certificate is not a usable authority of {domain}")]
    Authority {
        /// The domain it should sign for.
        domain: TrustDomain,
        /// What is wrong with it.
        #[source]
        source: crate::bundle_set::BundleError,
    },
    /// An operator's authority is of no use.
    #[error("authority is unusable")]
    Ca(#[source] crate::ca::CaFault),
    /// The PEM text holds no private key. What it holds instead is not said.
    #[error("there is no readable private key in the PEM text")]
    NoKey,
    /// The key of a file is protected by a password.
    #[error("private key is encrypted; decrypt it first: openssl pkey -in KEY -out PLAIN")]
    Encrypted,
    /// The authority cannot be put into a bundle as its own root.
    #[error(
        "the authority's name cannot be written again; have it issued with one value for each attribute, as UTF-8 or \
         printable strings"
    )]
    Name,
    /// A root has no moment in common with what is asked for.
    #[error("the root has expired or is not yet valid; make a new one")]
    RootExpired,
    /// An authority signs only inside its own trust domain.
    #[error("the authority of {domain} may not sign for trust domain {asked}")]
    ForeignDomain {
        /// The authority's domain.
        domain: TrustDomain,
        /// The domain of the id asked for.
        asked: TrustDomain,
    },
    /// The lifetime asked for has no moment in common with that of the authority.
    #[error("the authority of {domain} has expired or is not yet valid")]
    AuthorityExpired {
        /// The authority's domain.
        domain: TrustDomain,
    },
    /// A time outside what X.509 can say.
    #[error("time {0} s since the epoch cannot be written in a certificate")]
    Time(i64),
    /// rustls refused the configuration.
    #[error("TLS configuration was refused")]
    Tls(#[source] rustls::Error),
}
