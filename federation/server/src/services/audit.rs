//! Who changed what, from this server's applied state.

use std::collections::VecDeque;
use std::sync::Arc;

use federation_api::federation as wire;
use federation_model::Revision;
use federation_model::audit::Record;
use futures::stream;
use tokio::sync::watch;
use tonic::Status;

use super::{Answers, Context};

/// Records taken at a time: the state is not held while they are sent.
const PIECE: usize = 256;

struct Audit {
    context: Arc<Context>,
    applied: watch::Receiver<Revision>,
    after: u64,
    follow: bool,
    pending: VecDeque<Record>,
}

pub(super) fn audit(context: Arc<Context>, request: &wire::AuditRequest) -> Answers<wire::AuditRecord> {
    let applied = context.node.applied();
    let (after, follow) = (request.after, request.follow);
    let audit = Audit { context, applied, after, follow, pending: VecDeque::new() };
    Box::pin(stream::unfold(Some(audit), |audit| async {
        let mut audit = audit?;
        match audit.next().await {
            Ok(Some(record)) => Some((Ok(wire_record(&record)), Some(audit))),
            Ok(None) => None,
            Err(status) => Some((Err(status), None)),
        }
    }))
}

impl Audit {
    async fn next(&mut self) -> Result<Option<Record>, Status> {
        loop {
            if let Some(record) = self.pending.pop_front() {
                return Ok(Some(record));
            }
            // Marked as seen before the state is read: an entry applied in between wakes the next round.
            self.applied.mark_unchanged();
            let (after, context) = (self.after, &self.context);
            self.pending =
                context.node.read(|state, _| state.audit().after(after).take(PIECE).cloned().collect());
            if let Some(last) = self.pending.back() {
                self.after = last.number;
                continue;
            }
            if !self.follow {
                return Ok(None);
            }
            let stopping = || Status::unavailable("this server is stopping");
            tokio::select! {
                changed = self.applied.changed() => changed.map_err(|_| stopping())?,
                () = self.context.drain.wait() => return Err(stopping()),
            }
        }
    }
}

fn wire_record(record: &Record) -> wire::AuditRecord {
    wire::AuditRecord {
        number: record.number,
        revision: record.revision.0,
        at_unix_millis: record.at.0,
        actor: record.actor.name(),
        action: record.change.action().to_owned(),
        subject: record.change.subject(),
    }
}
