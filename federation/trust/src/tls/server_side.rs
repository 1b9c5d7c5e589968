//! A listener's judgement of its callers, in three steps: whether the chain is believed, whether the key is proved,
//! and whether the caller may come in.

use std::slice;
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
use crate::verify::{judge_peer, peer_id};

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

    /// Whether a caller that is believed, and has proved its key, may come in. Not earlier: who merely holds a copy of
    /// a certificate must not learn what its owner may do.
    fn admit(&self, cert: &CertificateDer<'_>) -> Result<(), Error> {
        let id = peer_id(slice::from_ref(cert)).map_err(refused)?;
        self.authorize.authorize(&id).map_err(|reason| refused(PeerError::NotAuthorized(reason)))
    }
}

/// The error for rustls, said here because rustls keeps only the alert of it.
fn refused(error: PeerError) -> Error {
    debug!(reason = error.reason(), %error, "client refused");
    error.into_tls()
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
        let chain = super::client_side::whole(end_entity, intermediates);
        let believed = judge_peer(&chain, &self.bundles.load(), now).map_err(refused)?;
        self.authorize.vouched_by(believed.anchor);
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let proved = signatures::tls12(message, cert, signed)?;
        self.admit(cert)?;
        Ok(proved)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let proved = signatures::tls13(message, cert, signed)?;
        self.admit(cert)?;
        Ok(proved)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        signatures::schemes()
    }
}
