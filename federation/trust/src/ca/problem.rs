//! What is wrong with an operator's authority, and what to do about it.

use federation_model::TrustDomain;

/// What is wrong with which certificate of a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("certificate {number}: {problem}")]
pub struct CaFault {
    /// Counted from one, as the text has them.
    pub number: usize,
    /// What. Not a source of this error, whose text has it already.
    pub problem: CaProblem,
}

/// Why a certificate cannot serve as an authority. Every text ends with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaProblem {
    /// Not X.509, or larger than any honest certificate.
    #[error("it is not a readable certificate; export it as PEM (X.509) once more")]
    Malformed,
    /// Basic constraints do not make it an authority.
    #[error("it is no authority (basic constraints do not say CA); give the certificate that signed it")]
    NotAuthority,
    /// Key usage does not allow to sign certificates.
    #[error("it may not sign certificates (key usage lacks keyCertSign); have it issued with that key usage")]
    NoCertSign,
    /// The key is of another kind, or too short.
    #[error("it has {0}; have it issued with ECDSA P-256 or P-384, or RSA of 2048 bits or more")]
    Key(String),
    /// The signature can be forged, or is not understood.
    #[error("it is signed with {0}; have it issued with SHA-256 or better")]
    Signature(String),
    /// It carries the SPIFFE id of something else.
    #[error(
        "it has the URI name {found}; an authority of {wanted} has spiffe://{wanted} or no URI name at all"
    )]
    OtherDomain {
        /// What it names.
        found: String,
        /// What it was to sign for.
        wanted: TrustDomain,
    },
    /// More than one URI name, or one that is the name of a workload.
    #[error(
        "it has the URI name {0}; have it issued with spiffe://TRUST-DOMAIN, without a path, or with none"
    )]
    Name(String),
    /// The certificates are those of one chain, in another order.
    #[error(
        "it does not follow from the one before; put the signing authority first, then who signed it, the root last"
    )]
    Order,
    /// It has nothing to do with the certificate before it.
    #[error(
        "it did not sign the one before; leave in the file only what leads from the authority to its root"
    )]
    Unrelated,
    /// Path length forbids what stands below it.
    #[error(
        "its path length is {allowed}, and {below} authorities stand below it; have it issued with a greater one"
    )]
    PathLength {
        /// How many may stand below it.
        allowed: u32,
        /// How many do.
        below: u32,
    },
    /// Longer than any chain that is used.
    #[error(
        "there are more than {0} certificates; leave in the file only what leads from the authority to its root"
    )]
    TooMany(usize),
    /// Its time is over.
    #[error("it has expired; issue a new one")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet; look at this machine's clock, or wait")]
    NotYetValid,
}
