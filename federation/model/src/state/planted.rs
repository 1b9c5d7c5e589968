//! Defects on purpose, for the simulation, which must find them.

use std::sync::Arc;

use super::State;
use crate::export::ExportScope;
use crate::ids::ServiceId;

impl State {
    /// Takes the VIP of a service away and gives the last number again: what must never happen.
    pub fn give_back_vip(&mut self, service: &ServiceId) {
        if self.vips.remove(service).is_some() {
            self.next_vip = self.next_vip.saturating_sub(1);
        }
    }

    /// Makes every export visible to everybody.
    pub fn widen_scopes(&mut self) {
        let services: Vec<ServiceId> = self.exports.keys().cloned().collect();
        for service in services {
            let exporters = self.exports.get_mut(&service).into_iter().flatten();
            for (_, export) in exporters {
                Arc::make_mut(export).scope = ExportScope::All;
            }
        }
    }
}
