//! Who a peer is, and whether to believe it: SPIFFE identities over X.509 (X509-SVID), one bundle per trust domain.
//!
//! Owns: keys, certificate requests and issuing; the rules that a certificate must meet; the choice of the bundle; the
//! rustls configurations of every daemon; the text of join tokens.
//!
//! Must never: open a socket, start a task, pool the roots of two trust domains, or print a private key or a token's
//! secret. A leaf of trust domain A is judged by the bundle of A and by nothing else.
//!
//! Reading order: [`mod@provider`] and [`error`] → [`key`], [`csr`], [`lifetime`] and [`authority`] (making
//! certificates) → [`identity`] (holding them) → [`bundle_set`], [`svid`], [`verify`] and [`peer_error`] (judging them) →
//! [`infra`] and [`authorize`] (who may do what) → [`tls`] (rustls) → [`join_token`].
//!
//! Tests: `tests/wrong_certificates.rs` is the table of every wrong certificate; `tests/handshakes.rs` makes real TLS
//! handshakes and looks at the alerts; parsers have property tests beside them.

pub mod authority;
pub mod authorize;
pub mod bundle_set;
pub mod ca;
pub mod csr;
pub mod error;
pub mod identity;
pub mod infra;
pub mod join_token;
pub mod jwks;
pub mod key;
pub mod lifetime;
pub mod peer_error;
pub mod pem;
pub mod provider;
pub mod svid;
pub mod tls;
pub mod verify;

pub use authority::Authority;
pub use authorize::{Authorize, NotAuthorized};
pub use bundle_set::{BundleSet, SharedBundles};
pub use error::TrustError;
pub use identity::{Identity, SharedIdentity};
pub use join_token::JoinTokenText;
pub use key::PrivateKey;
pub use lifetime::Lifetime;
pub use peer_error::PeerError;
pub use provider::provider;
