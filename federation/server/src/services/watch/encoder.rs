//! Each piece of the catalogue is encoded once, however many watchers it goes to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use federation_api::convert::item::encoded;
use federation_model::{Item, ItemKey};
use prost::bytes::Bytes;

/// Most bytes kept. Beyond that all are dropped, and encoded again when they are asked for.
const MOST: usize = 64 * 1024 * 1024;

/// Encoded pieces, by key.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    encoded: HashMap<ItemKey, (Item, Bytes)>,
    bytes: usize,
}

impl Encoder {
    /// The encoding of `item`.
    pub(super) fn item(&self, item: &Item) -> Bytes {
        let key = item.key();
        if let Some((of, bytes)) = self.lock().encoded.get(&key)
            && same(of, item)
        {
            return bytes.clone();
        }
        // Beside the lock: two that do it at once get the same.
        let bytes = encoded(item);
        let mut kept = self.lock();
        if kept.bytes.saturating_add(bytes.len()) > MOST {
            *kept = Kept::default();
        }
        kept.bytes += bytes.len();
        if let Some((_, old)) = kept.encoded.insert(key, (item.clone(), bytes.clone())) {
            kept.bytes = kept.bytes.saturating_sub(old.len());
        }
        bytes
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether two pieces of the same key have the same encoding. Exports are shared by pointer, and never compared.
fn same(one: &Item, other: &Item) -> bool {
    match (one, other) {
        (Item::Export(one), Item::Export(other)) => Arc::ptr_eq(one, other),
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use federation_api::convert::item::decoded;
    use federation_model::{Cluster, Lease, UnixMillis};

    use super::*;

    fn cluster(at: u64) -> Item {
        Item::Cluster(Cluster {
            id: "east".parse().unwrap(),
            network: "n".parse().unwrap(),
            region: None,
            zone: None,
            trust_domain: "east.lab".parse().unwrap(),
            gateways: Vec::new(),
            lease: Lease::Expired { at: UnixMillis(at) },
        })
    }

    #[test]
    fn a_piece_is_encoded_once_until_it_changes() {
        let encoder = Encoder::default();
        let first = encoder.item(&cluster(1));
        assert_eq!(decoded(first.clone()), Ok(Some(cluster(1))));
        assert_eq!(encoder.item(&cluster(1)).as_ptr(), first.as_ptr());
        let second = encoder.item(&cluster(2));
        assert_eq!(decoded(second.clone()), Ok(Some(cluster(2))));
        assert_eq!(encoder.lock().bytes, second.len());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let encoder = Encoder::default();
        encoder.lock().bytes = MOST;
        let only = encoder.item(&cluster(1));
        let kept = encoder.lock();
        assert_eq!((kept.bytes, kept.encoded.len()), (only.len(), 1));
    }
}
