//! A certificate that still holds for a new one, for the same identity.

use federation_api::federation as wire;
use federation_kit::exit::chain;
use federation_model::ClusterId;
use federation_trust::csr::verified_key;
use tonic::{Code, Status};

use super::Context;

pub(super) fn renew(
    context: &Context,
    cluster: &ClusterId,
    request: &wire::RenewRequest,
) -> Result<wire::RenewResponse, Status> {
    let csr = verified_key(&request.csr).map_err(|error| context.invalid("bad_csr", &error))?;
    let chain = context.trust.issue_agent(cluster, &csr).map_err(|error| {
        tracing::error!(error = %chain(&error), "agent certificate could not be issued");
        context.refused(Code::Internal, "issuing_failed", "the certificate could not be issued")
    })?;
    Ok(wire::RenewResponse {
        chain,
        bundle: Some(context.trust.bundle().into()),
        servers: context.servers()?,
    })
}
