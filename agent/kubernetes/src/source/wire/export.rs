//! ServiceExports.

use std::sync::Arc;

use agent_plan::mcs::observed::{Held, Recorded};
use agent_plan::mcs::{crd, parse as mcs};
use agent_plan::objects::ServiceExport;
use federation_model::ServiceId;

use super::{Wire, typed};
use crate::source::kind::Kind;
use crate::source::message::{Change, Update};
use crate::source::parse;

/// A ServiceExport: what its owner asks for, and the conditions that we set on it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExportItem {
    pub(crate) id: ServiceId,
    pub(crate) asked: Arc<ServiceExport>,
    pub(crate) held: Arc<Held<Vec<Recorded>>>,
}

impl Wire for ExportItem {
    const KIND: Kind = Kind::ServiceExports;

    fn read(json: &str) -> Result<Self, String> {
        let document: crd::ServiceExport = typed(json)?;
        parse::service_id(&document.metadata)?;
        let asked = mcs::service_export(&document);
        let (_, asked) = asked.ok_or("spec: it is of a schema that this agent does not know")?;
        let (id, held) = mcs::export(&document).ok_or("metadata: it is not a ServiceExport")?;
        Ok(Self { id, asked: Arc::new(asked), held })
    }

    fn update(change: Change<Self>) -> Update {
        Update::ServiceExports(change)
    }
}
