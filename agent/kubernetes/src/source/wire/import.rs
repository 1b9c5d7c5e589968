//! ServiceImports.

use std::sync::Arc;

use agent_plan::mcs::observed::{Held, HeldImport};
use agent_plan::mcs::{crd, parse as mcs};
use federation_model::ServiceId;

use super::{Wire, typed};
use crate::source::kind::Kind;
use crate::source::message::{Change, Update};
use crate::source::parse;

/// A ServiceImport, ours or another controller's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImportItem {
    pub(crate) id: ServiceId,
    pub(crate) held: Arc<Held<HeldImport>>,
}

impl Wire for ImportItem {
    const KIND: Kind = Kind::ServiceImports;

    fn read(json: &str) -> Result<Self, String> {
        let document: crd::ServiceImport = typed(json)?;
        parse::service_id(&document.metadata)?;
        let (id, held) = mcs::import(&document).ok_or("metadata: it is not a ServiceImport")?;
        Ok(Self { id, held })
    }

    fn update(change: Change<Self>) -> Update {
        Update::ServiceImports(change)
    }
}
