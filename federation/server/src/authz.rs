//! Who calls, by the certificate of the connection, and what each may call.
//!
//! Provenance: the chain was accepted in the handshake. It is judged once more at the start of every call, since a
//! connection may outlive the certificate it was opened with.

use federation_api::REASON;
use federation_kit::grpc::TlsPeer;
use federation_model::ClusterId;
use federation_trust::infra::{Role, role};
use federation_trust::verify::verify_peer;
use rustls::pki_types::UnixTime;
use tonic::{Extensions, Status};

use crate::metrics::Metrics;
use crate::trust::Trust;

/// A status that carries its reason.
pub fn refusal(code: tonic::Code, reason: &'static str, message: impl Into<String>) -> Status {
    let mut status = Status::new(code, message);
    status.metadata_mut().insert(REASON, tonic::metadata::MetadataValue::from_static(reason));
    status
}

/// The agent of which cluster calls.
pub fn agent(trust: &Trust, metrics: &Metrics, extensions: &Extensions) -> Result<ClusterId, Status> {
    match caller(trust, extensions) {
        Ok(Role::Agent(cluster)) => Ok(cluster),
        Ok(_) => refuse(metrics, tonic::Code::PermissionDenied, "not_an_agent", "only agents may call this"),
        Err(reason) => unauthenticated(metrics, reason),
    }
}

/// Which operator calls.
pub fn admin(trust: &Trust, metrics: &Metrics, extensions: &Extensions) -> Result<String, Status> {
    match caller(trust, extensions) {
        Ok(Role::Admin(name)) => Ok(name),
        Ok(_) => {
            refuse(metrics, tonic::Code::PermissionDenied, "not_an_admin", "only operators may call this")
        }
        Err(reason) => unauthenticated(metrics, reason),
    }
}

fn caller(trust: &Trust, extensions: &Extensions) -> Result<Role, &'static str> {
    let peer = extensions.get::<TlsPeer>().ok_or("no_certificate")?;
    let id = verify_peer(&peer.chain, &trust.bundles().load(), UnixTime::now());
    id.map(|id| role(&id, Some(trust.clusterset()))).map_err(|error| error.reason())
}

fn unauthenticated<T>(metrics: &Metrics, reason: &'static str) -> Result<T, Status> {
    refuse(metrics, tonic::Code::Unauthenticated, reason, "a valid client certificate is needed")
}

fn refuse<T>(
    metrics: &Metrics,
    code: tonic::Code,
    reason: &'static str,
    message: &'static str,
) -> Result<T, Status> {
    metrics.refuse(reason);
    Err(refusal(code, reason, message))
}
