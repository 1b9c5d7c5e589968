//! A one-time token for a certificate: the only call that strangers may make.

use std::time::Duration;

use federation_api::federation as wire;
use federation_kit::exit::chain;
use federation_model::{ClusterId, Command, Rejection, TokenHash};
use federation_trust::csr::verified_key;
use federation_trust::join_token::secret_hash_of;
use tonic::{Code, Status};

use super::Context;

/// How long a server that lags behind waits for a token it does not know: it may have been made at another just now.
const TOKEN_PATIENCE: Duration = Duration::from_millis(1_500);

/// The token must be known before anything is written: strangers must not be able to fill the log.
pub(super) async fn join(
    context: &Context,
    request: wire::JoinRequest,
) -> Result<wire::JoinResponse, Status> {
    let _permit = context
        .joins
        .try_acquire()
        .map_err(|_| context.refused(Code::ResourceExhausted, "busy", "too many joins at the same time"))?;
    let cluster: ClusterId =
        request.cluster.parse().map_err(|error| context.invalid("bad_cluster", &error))?;
    let csr = verified_key(&request.csr).map_err(|error| context.invalid("bad_csr", &error))?;
    let hash = secret_hash_of(&request.token_secret).map_err(|error| context.invalid("bad_token", &error))?;
    if !known(context, hash).await {
        return Err(context.rejected(&Rejection::UnknownToken));
    }

    let command = Command::RedeemToken { hash, cluster: cluster.clone(), key: csr.key_hash() };
    let committed = context.node.propose(vec![command]).await.map_err(|e| context.not_committed(&e))?;
    if let Some(rejection) = committed.outcomes.into_iter().find_map(Result::err) {
        tracing::warn!(%cluster, reason = rejection.reason(), "join refused");
        return Err(context.rejected(&rejection));
    }
    let chain = context.trust.issue_agent(&cluster, &csr).map_err(|error| {
        tracing::error!(error = %chain(&error), "agent certificate could not be issued");
        context.refused(Code::Internal, "issuing_failed", "the certificate could not be issued")
    })?;
    tracing::info!(%cluster, "agent joined");
    Ok(wire::JoinResponse {
        chain,
        bundle: Some(context.trust.bundle().into()),
        clusterset: context.trust.clusterset().to_string(),
        servers: context.servers()?,
    })
}

async fn known(context: &Context, hash: TokenHash) -> bool {
    let mut applied = context.node.applied();
    let seen = applied.wait_for(|_| context.node.read(|state, _| state.token(&hash).is_some()));
    tokio::time::timeout(TOKEN_PATIENCE, seen).await.is_ok_and(|seen| seen.is_ok())
}
