//! ClusterProperties.

use std::sync::Arc;

use agent_plan::mcs::observed::Held;
use agent_plan::mcs::{crd, parse as mcs};

use super::{Wire, typed};
use crate::source::kind::Kind;
use crate::source::message::{Change, Update};

/// A ClusterProperty and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PropertyItem {
    pub(crate) name: String,
    pub(crate) held: Arc<Held<String>>,
}

impl Wire for PropertyItem {
    const KIND: Kind = Kind::ClusterProperties;

    fn read(json: &str) -> Result<Self, String> {
        let document: crd::ClusterProperty = typed(json)?;
        let (name, held) = mcs::property(&document).ok_or("metadata: it has no name")?;
        Ok(Self { name, held })
    }

    fn update(change: Change<Self>) -> Update {
        Update::ClusterProperties(change)
    }
}
