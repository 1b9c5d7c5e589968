//! Pieces of the catalogue and their names: the unit of a watch.

use std::sync::Arc;

use federation_model::{Bundle, Cluster, Export, Item, ItemKey};
use prost::Message;
use prost::bytes::Bytes;

use super::{ConvertError, Problem, field};
use crate::federation as wire;
use wire::item::Item as WireItem;
use wire::item_key::Key as WireKey;

impl TryFrom<wire::Item> for Item {
    type Error = ConvertError;
    fn try_from(from: wire::Item) -> Result<Self, ConvertError> {
        Ok(match field::required("item", from.item)? {
            WireItem::Cluster(cluster) => Self::Cluster(under("cluster", Cluster::try_from(cluster))?),
            WireItem::Bundle(bundle) => Self::Bundle(under("bundle", Bundle::try_from(bundle))?),
            WireItem::Vip(vip) => {
                let (service, vip) = under("vip", vip.try_into())?;
                Self::Vip(service, vip)
            }
            WireItem::Export(export) => Self::Export(Arc::new(under("export", Export::try_from(export))?)),
        })
    }
}

impl From<&Item> for wire::Item {
    fn from(from: &Item) -> Self {
        let item = match from {
            Item::Cluster(cluster) => WireItem::Cluster(cluster.into()),
            Item::Bundle(bundle) => WireItem::Bundle(bundle.into()),
            Item::Vip(service, vip) => WireItem::Vip((service, vip).into()),
            Item::Export(export) => WireItem::Export(export.as_ref().into()),
        };
        Self { item: Some(item) }
    }
}

/// The bytes of `item` as a watch carries them.
pub fn encoded(item: &Item) -> Bytes {
    wire::Item::from(item).encode_to_vec().into()
}

/// What [`encoded`] gave; none for a kind of item that only a later version knows.
pub fn decoded(bytes: Bytes) -> Result<Option<Item>, ConvertError> {
    let item = wire::Item::decode(bytes).map_err(|_| ConvertError::new("", Problem::Malformed))?;
    item.item.is_some().then(|| item.try_into()).transpose()
}

impl TryFrom<wire::ItemKey> for ItemKey {
    type Error = ConvertError;
    fn try_from(from: wire::ItemKey) -> Result<Self, ConvertError> {
        Ok(match field::required("key", from.key)? {
            WireKey::Cluster(id) => Self::Cluster(field::parse("cluster", &id)?),
            WireKey::Bundle(domain) => Self::Bundle(field::parse("bundle", &domain)?),
            WireKey::Vip(service) => Self::Vip(under("vip", service.try_into())?),
            WireKey::Export(key) => Self::Export(
                field::nested("export.service", key.service)?,
                field::parse("export.cluster", &key.cluster)?,
            ),
        })
    }
}

impl From<&ItemKey> for wire::ItemKey {
    fn from(from: &ItemKey) -> Self {
        let key = match from {
            ItemKey::Cluster(id) => WireKey::Cluster(id.to_string()),
            ItemKey::Bundle(domain) => WireKey::Bundle(domain.to_string()),
            ItemKey::Vip(service) => WireKey::Vip(service.into()),
            ItemKey::Export(service, cluster) => WireKey::Export(wire::ExportKey {
                service: Some(service.into()),
                cluster: cluster.to_string(),
            }),
        };
        Self { key: Some(key) }
    }
}

fn under<T>(field: &str, result: Result<T, ConvertError>) -> Result<T, ConvertError> {
    result.map_err(|e| e.under(field))
}
