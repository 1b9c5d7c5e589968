//! Every reason for which the gateway turns a connection away: closed, so that it can be a metric's label.

/// Why a connection, before or after its handshake, got nowhere. What the other end sees never tells these apart
/// where telling would reveal what exists (see [`RefusalReason::hidden`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalReason {
    /// The hello has no `server_name`.
    NoSni,
    /// The name does not have the form of a call through a gateway.
    ForeignName,
    /// The name has a subset; none are known yet.
    UnknownSubset,
    /// Nothing of that name and port is exported here.
    UnknownName,
    /// None of the offered protocols is one that mesh clients speak to a gateway.
    WrongAlpn,
    /// The caller's trust domain belongs to no cluster of the clusterset.
    UnknownCallerDomain,
    /// The caller is neither a workload nor a gateway.
    NotAWorkload,
    /// The export's scope leaves the caller's cluster out.
    NotExportedToCaller,
    /// The client offers only TLS 1.1 or older.
    OldVersion,
    /// HTTP without TLS.
    PlainHttp,
    /// Neither TLS nor HTTP.
    NotTls,
    /// Bytes that begin as TLS and are not a ClientHello.
    MalformedHello,
    /// A ClientHello over its bound.
    LongHello,
    /// The ClientHello did not come in time.
    SlowHello,
    /// The client went away before it had sent a ClientHello.
    NoHello,
    /// The client presented no certificate.
    NoCertificate,
    /// The client's certificate is signed by nobody who may sign for its trust domain.
    UnknownIssuer,
    /// The client's certificate is expired, is not an X509-SVID, or is otherwise wrong.
    BadCertificate,
    /// The handshake failed for a reason of its own, or the client gave up.
    HandshakeFailed,
    /// The handshake did not end in time.
    SlowHandshake,
    /// The bound on connections is reached.
    TooManyConnections,
    /// The gateway has no configuration or no certificate yet.
    NotReady,
    /// No endpoint is ready.
    NoEndpoint,
    /// No endpoint or target could be reached.
    Unreachable,
}

impl RefusalReason {
    /// All of them, in the order of a connection's life.
    pub const ALL: [Self; 24] = [
        Self::NoSni,
        Self::ForeignName,
        Self::UnknownSubset,
        Self::UnknownName,
        Self::WrongAlpn,
        Self::UnknownCallerDomain,
        Self::NotAWorkload,
        Self::NotExportedToCaller,
        Self::OldVersion,
        Self::PlainHttp,
        Self::NotTls,
        Self::MalformedHello,
        Self::LongHello,
        Self::SlowHello,
        Self::NoHello,
        Self::NoCertificate,
        Self::UnknownIssuer,
        Self::BadCertificate,
        Self::HandshakeFailed,
        Self::SlowHandshake,
        Self::TooManyConnections,
        Self::NotReady,
        Self::NoEndpoint,
        Self::Unreachable,
    ];

    /// The word for it in metrics, logs and status.
    pub fn label(self) -> &'static str {
        match self {
            Self::NoSni => "no_sni",
            Self::ForeignName => "foreign_name",
            Self::UnknownSubset => "unknown_subset",
            Self::UnknownName => "unknown_name",
            Self::WrongAlpn => "wrong_alpn",
            Self::UnknownCallerDomain => "unknown_caller_domain",
            Self::NotAWorkload => "not_a_workload",
            Self::NotExportedToCaller => "not_exported_to_caller",
            Self::OldVersion => "old_version",
            Self::PlainHttp => "plain_http",
            Self::NotTls => "not_tls",
            Self::MalformedHello => "malformed_hello",
            Self::LongHello => "long_hello",
            Self::SlowHello => "slow_hello",
            Self::NoHello => "no_hello",
            Self::NoCertificate => "no_certificate",
            Self::UnknownIssuer => "unknown_issuer",
            Self::BadCertificate => "bad_certificate",
            Self::HandshakeFailed => "handshake_failed",
            Self::SlowHandshake => "slow_handshake",
            Self::TooManyConnections => "too_many_connections",
            Self::NotReady => "not_ready",
            Self::NoEndpoint => "no_endpoint",
            Self::Unreachable => "unreachable",
        }
    }

    /// Whether telling it from the others would reveal what exists: these must all look alike, namely as
    /// `access_denied` after the client has proved who it is.
    pub fn hidden(self) -> bool {
        matches!(
            self,
            Self::NoSni
                | Self::ForeignName
                | Self::UnknownSubset
                | Self::UnknownName
                | Self::WrongAlpn
                | Self::UnknownCallerDomain
                | Self::NotAWorkload
                | Self::NotExportedToCaller
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_a_label_of_its_own() {
        let labels: BTreeSet<_> = RefusalReason::ALL.iter().map(|r| r.label()).collect();
        assert_eq!(labels.len(), RefusalReason::ALL.len());
        let reasons: BTreeSet<_> = RefusalReason::ALL.iter().collect();
        assert_eq!(reasons.len(), RefusalReason::ALL.len());
    }
}
