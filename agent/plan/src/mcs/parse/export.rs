//! ServiceExports: what they ask for, and what their status says.

use std::sync::Arc;

use federation_model::ServiceId;

use super::{conditions, meta};
use crate::mcs::content::ConditionKind;
use crate::mcs::crd::{Lenient, ServiceExport};
use crate::mcs::names::{MANAGED_BY, OUR_PREFIX, OURS};
use crate::mcs::observed::{Held, Recorded};
use crate::objects;

/// The status of a ServiceExport, whoever made it.
pub fn export(object: &ServiceExport) -> Option<(ServiceId, Arc<Held<Vec<Recorded>>>)> {
    let given = object.status.known().and_then(|status| status.conditions.as_ref());
    let kinds = [ConditionKind::Valid, ConditionKind::Ready, ConditionKind::Conflict];
    let recorded = conditions::conditions(given, &kinds);
    let held = meta::held(&object.metadata, (MANAGED_BY, OURS), Some(recorded));
    Some((meta::service_id(&object.metadata)?, held))
}

/// What a ServiceExport asks for. Of its annotations only ours count, so that a copy stays small.
///
/// `None` where its spec is of a schema that is not known here: to export something with less care than was asked for
/// would be wrong.
pub fn service_export(object: &ServiceExport) -> Option<(ServiceId, objects::ServiceExport)> {
    let spec = match &object.spec {
        Lenient::Known(spec) => Some(spec),
        Lenient::Unknown(value) if value.is_null() => None,
        Lenient::Unknown(_) => return None,
    };
    let annotations = object.metadata.annotations.iter().flatten();
    let asked = objects::ServiceExport {
        annotations: annotations
            .filter(|(key, _)| key.starts_with(OUR_PREFIX))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        exported_labels: spec.and_then(|spec| spec.exported_labels.clone()).unwrap_or_default(),
        exported_annotations: spec.and_then(|spec| spec.exported_annotations.clone()).unwrap_or_default(),
    };
    Some((meta::service_id(&object.metadata)?, asked))
}
