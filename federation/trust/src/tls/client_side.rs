//! A dialler's judgement of whom it reached.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tracing::debug;

use super::{Server, signatures};
use crate::peer_error::PeerError;
use crate::verify::{judge_peer, verify_pinned};

#[derive(Debug)]
pub(super) struct JudgeServer(Server);

impl JudgeServer {
    pub(super) fn new(server: Server) -> Self {
        Self(server)
    }

    fn judge(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), PeerError> {
        let (believed, authorize) = match &self.0 {
            Server::Bundles { bundles, authorize } => (judge_peer(chain, &bundles.load(), now)?, authorize),
            Server::Pinned { ca_sha256, authorize } => (verify_pinned(chain, ca_sha256, now)?, authorize),
        };
        authorize.vouched_by(believed.anchor);
        authorize.authorize(&believed.id).map_err(PeerError::NotAuthorized)
    }
}

/// rustls hands the leaf apart from the rest; the judgement is over the chain.
pub(super) fn whole<'a>(
    end_entity: &CertificateDer<'a>,
    intermediates: &[CertificateDer<'a>],
) -> Vec<CertificateDer<'a>> {
    std::iter::once(end_entity).chain(intermediates).cloned().collect()
}

impl ServerCertVerifier for JudgeServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge(&whole(end_entity, intermediates), now).map_err(|error| {
            // Here, since rustls keeps only the alert of it.
            debug!(reason = error.reason(), %error, "server refused");
            error.into_tls()
        })?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signatures::tls12(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signatures::tls13(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        signatures::schemes()
    }
}
