//! What an operator asks that has a long answer.

use std::time::Duration;

use federation_api::federation as wire;
use federation_kit::backoff::Backoff;
use tokio::time::timeout;
use tonic::{Status, Streaming};

use crate::admin_client::AdminClient;
use crate::dial::{admin, call, first_answer};
use crate::error::ClientError;

/// How long a server may take until a backup begins: it commits first, and encodes the whole catalogue.
const BACKUP_BEGINS: Duration = Duration::from_secs(30);

/// Why a long answer was not taken whole.
#[derive(Debug, thiserror::Error)]
pub enum StreamError<E> {
    /// The servers, or the way to them.
    #[error(transparent)]
    Client(ClientError),
    /// Whoever was given the pieces wants no more.
    #[error(transparent)]
    Taker(E),
}

impl AdminClient {
    /// The whole catalogue as the bytes of a backup, piece by piece. A server that breaks off is not replaced by another:
    /// the pieces taken so far are of its own backup.
    ///
    /// # Errors
    /// Those of the call, and those of `take`, which ends it.
    pub async fn backup<E>(
        &self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), StreamError<E>> {
        let begun = first_answer(&self.servers(), |server| async move {
            let mut stub = admin(self.channel(&server));
            let pieces = call(&server, BACKUP_BEGINS, stub.backup(wire::BackupRequest {})).await?;
            Ok((server, pieces))
        })
        .await;
        let (server, mut pieces) = begun.map_err(StreamError::Client)?;
        while let Some(piece) = self.next(&server, &mut pieces).await.map_err(StreamError::Client)? {
            take(&piece.bytes).map_err(StreamError::Taker)?;
        }
        Ok(())
    }

    /// The changes of the clusterset after the number `after`, in their order.
    ///
    /// # Errors
    /// Those of the call, and those of `take`, which ends it.
    pub async fn audit<E>(
        &self,
        after: u64,
        mut take: impl FnMut(wire::AuditRecord) -> Result<(), E>,
    ) -> Result<(), StreamError<E>> {
        let (server, mut records) = self.audit_stream(after, false).await.map_err(StreamError::Client)?;
        while let Some(record) = self.next(&server, &mut records).await.map_err(StreamError::Client)? {
            take(record).map_err(StreamError::Taker)?;
        }
        Ok(())
    }

    /// The same, and then changes as they come, each once, from whichever server answers. It ends only with `take`, a
    /// refusal, or where no server answers the first time.
    ///
    /// # Errors
    /// Those of the call, and those of `take`, which ends it.
    pub async fn follow_audit<E>(
        &self,
        mut after: u64,
        mut take: impl FnMut(wire::AuditRecord) -> Result<(), E>,
    ) -> Result<(), StreamError<E>> {
        let (min, max) = self.timing().reconnect;
        let mut backoff = Backoff::new(min, max);
        let mut answered = false;
        loop {
            let lost = match self.audit_stream(after, true).await {
                Err(error) if !answered => return Err(StreamError::Client(error)),
                Err(error) => error,
                Ok((server, mut records)) => {
                    answered = true;
                    loop {
                        match records.message().await {
                            Ok(Some(record)) => {
                                backoff.reset();
                                after = record.number;
                                take(record).map_err(StreamError::Taker)?;
                            }
                            Ok(None) => break ClientError::Ended { server },
                            Err(status) => break ClientError::from_status(&server, status),
                        }
                    }
                }
            };
            if lost.is_final() {
                return Err(StreamError::Client(lost));
            }
            tracing::debug!(error = lost.chain(), "audit stream lost, will ask again");
            backoff.wait().await;
        }
    }

    async fn audit_stream(
        &self,
        after: u64,
        follow: bool,
    ) -> Result<(String, Streaming<wire::AuditRecord>), ClientError> {
        first_answer(&self.servers(), |server| async move {
            let mut stub = admin(self.channel(&server));
            let request = wire::AuditRequest { after, follow };
            let records = call(&server, self.timing().answer, stub.audit(request)).await?;
            Ok((server, records))
        })
        .await
    }

    async fn next<T>(&self, server: &str, stream: &mut Streaming<T>) -> Result<Option<T>, ClientError> {
        let limit = self.timing().answer;
        let message: Result<Result<Option<T>, Status>, _> = timeout(limit, stream.message()).await;
        let message = message.map_err(|_| ClientError::Silent { server: server.to_owned(), limit })?;
        message.map_err(|status| ClientError::from_status(server, status))
    }
}
