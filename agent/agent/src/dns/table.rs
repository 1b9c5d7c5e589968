//! Where the plan's table is swapped under the readers.

use std::sync::Arc;

use agent_plan::desired::DnsTable;
use arc_swap::ArcSwapOption;

/// The table that answers are read from. Cheap to clone; all clones see the same table.
#[derive(Debug, Clone, Default)]
pub struct SharedTable(Arc<ArcSwapOption<DnsTable>>);

impl SharedTable {
    /// No table: everything is SERVFAIL.
    pub fn not_loaded() -> Self {
        Self::default()
    }

    /// Swaps the table. A question that is being answered keeps the one it began with.
    pub fn set(&self, table: impl Into<Arc<DnsTable>>) {
        self.0.store(Some(table.into()));
    }

    /// The table of this moment; `None` until the first was set.
    pub fn load(&self) -> Option<Arc<DnsTable>> {
        self.0.load_full()
    }
}
