//! Why TLS handshakes fail, as a closed set of words.

use std::io;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use rustls::CertificateError;

/// Why a TLS handshake failed, as seen by the side that accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HandshakeFailure {
    /// Not done within [`super::HANDSHAKE_TIMEOUT`].
    Timeout,
    /// A certificate was required and none came.
    NoCertificate,
    /// The peer's certificate is not valid here: unknown CA, expired, malformed.
    BadCertificate,
    /// The certificate is valid and its identity may not use this endpoint.
    NotAuthorized,
    /// The peer ended the handshake by an alert: it does not accept us.
    RefusedByPeer,
    /// The peer went away.
    Closed,
    /// What came is not TLS, or not a TLS we speak.
    Protocol,
}

impl HandshakeFailure {
    /// The value of the metric's `reason` label.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::NoCertificate => "no_certificate",
            Self::BadCertificate => "bad_certificate",
            Self::NotAuthorized => "not_authorized",
            Self::RefusedByPeer => "refused_by_peer",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
        }
    }

    /// Classifies the error of an accepting handshake.
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match tls {
            None => Self::Closed,
            Some(rustls::Error::NoCertificatesPresented) => Self::NoCertificate,
            Some(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
                Self::NotAuthorized
            }
            Some(rustls::Error::InvalidCertificate(_)) => Self::BadCertificate,
            Some(rustls::Error::AlertReceived(_)) => Self::RefusedByPeer,
            Some(_) => Self::Protocol,
        }
    }
}

/// Counts handshakes; clones count together.
#[derive(Debug, Clone, Default)]
pub struct HandshakeMetrics {
    done: Counter,
    failed: Family<[(&'static str, &'static str); 1], Counter>,
}

impl HandshakeMetrics {
    /// Registers `tls_handshakes` and `tls_handshake_failures{reason}` under the prefix of `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("tls_handshakes", "TLS handshakes that succeeded", metrics.done.clone());
        registry.register(
            "tls_handshake_failures",
            "TLS handshakes that failed, by reason",
            metrics.failed.clone(),
        );
        metrics
    }

    /// How many failed for this reason.
    #[must_use]
    pub fn failures(&self, failure: HandshakeFailure) -> u64 {
        self.failed.get_or_create(&[("reason", failure.reason())]).get()
    }

    /// How many succeeded.
    #[must_use]
    pub fn successes(&self) -> u64 {
        self.done.get()
    }

    pub(super) fn succeeded(&self) {
        self.done.inc();
    }

    pub(super) fn failed(&self, failure: HandshakeFailure) {
        self.failed.get_or_create(&[("reason", failure.reason())]).inc();
    }
}
