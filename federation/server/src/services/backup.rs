//! The whole catalogue as a file.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use federation_api::federation as wire;
use federation_kit::exit::chain;
use federation_model::audit::Operation;
use federation_model::{Backup, Command, Operator};
use futures::stream;
use tonic::{Code, Status};

use super::{Answers, Context};

/// Bytes of one message.
const PIECE: usize = 256 * 1024;
/// How long this server may take to apply what was committed before the call.
const CATCH_UP: Duration = Duration::from_secs(10);

/// Commits a record of the backup first: whatever was acknowledged before the call is then in the state that is saved.
pub(super) async fn backup(
    context: &Arc<Context>,
    operator: &str,
) -> Result<Answers<wire::BackupPiece>, Status> {
    let by = Operator::of_certificate(operator);
    let command = Command::Operated { by, operation: Operation::BackupSaved };
    let committed = context.node.propose(vec![command]).await.map_err(|e| context.not_committed(&e))?;
    if !context.node.wait_applied(committed.revision, CATCH_UP).await {
        return Err(context.refused(Code::Unavailable, "lagging", "this server lags behind"));
    }
    let (state, at) = (context.node.read(|state, _| state.clone()), context.node.last_batch_at());
    let (clusterset, version) =
        (context.trust.clusterset().clone(), federation_kit::build_info::version().to_string());
    let encoded = tokio::task::spawn_blocking(move || Backup::of(state, clusterset, at, version).to_bytes());
    let failed = |error: &(dyn std::error::Error + 'static)| {
        tracing::error!(error = %chain(error), "backup failed");
        Status::internal("the backup could not be written")
    };
    let bytes = encoded.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    tracing::info!(operator, bytes = bytes.len(), revision = committed.revision.0, "backup made");
    Ok(pieces(Bytes::from(bytes)))
}

fn pieces(mut left: Bytes) -> Answers<wire::BackupPiece> {
    Box::pin(stream::iter(std::iter::from_fn(move || {
        let piece = left.split_to(left.len().min(PIECE));
        (!piece.is_empty()).then(|| Ok(wire::BackupPiece { bytes: piece.to_vec() }))
    })))
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn the_pieces_are_the_whole() {
        for length in [0, 1, PIECE, PIECE + 1, 3 * PIECE + 7] {
            let whole: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let sent: Vec<_> = pieces(Bytes::from(whole.clone())).map(Result::unwrap).collect().await;
            assert!(sent.iter().all(|piece| piece.bytes.len() <= PIECE));
            assert_eq!(sent.into_iter().flat_map(|piece| piece.bytes).collect::<Vec<u8>>(), whole);
        }
    }
}
