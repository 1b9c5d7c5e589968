//! A listener's judgement of its callers.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use tracing::debug;

use super::{Clients, signatures};
use crate::authorize::Authorize;
use crate::bundle_set::SharedBundles;
use crate::peer_error::PeerError;
use crate::verify::verify_peer;

#[derive(Debug)]
pub(super) struct JudgeClient {
    bundles: SharedBundles,
    clients: Clients,
    authorize: Arc<dyn Authorize>,
}

impl JudgeClient {
    pub(super) fn new(bundles: SharedBundles, clients: Clients, authorize: Arc<dyn Authorize>) -> Self {
        Self { bundles, clients, authorize }
    }

    /// The chain first, always: a caller that is not believed hears so whatever it asked for.
    fn judge(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), PeerError> {
        let id = verify_peer(chain, &self.bundles.load(), now)?;
        self.authorize.authorize(&id).map_err(PeerError::NotAuthorized)
    }
}

impl ClientCertVerifier for JudgeClient {
    fn client_auth_mandatory(&self) -> bool {
        self.clients == Clients::Required
    }

    /// No hints: they would tell anyone who asks which trust domains are known here.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(&super::client_side::whole(end_entity, intermediates), now).map_err(|error| {
            // Here, since rustls keeps only the alert of it.
            debug!(reason = error.reason(), %error, "client refused");
            error.into_tls()
        })?;
        Ok(ClientCertVerified::assertion())
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
