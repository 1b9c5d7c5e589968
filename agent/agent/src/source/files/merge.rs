//! All files together: every object once, the rest named.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use agent_plan::LocalObjects;

use super::object::{Found, Object, ObjectKey};
use crate::source::{Problem, Reason, Severity};

/// Collects the objects of all files, in the order of their names. An object that is defined twice counts as the
/// first file says; the second is an error at its own place.
pub(super) fn merge<'a>(files: impl Iterator<Item = (&'a str, &'a [Found])>) -> (LocalObjects, Vec<Problem>) {
    let mut objects = LocalObjects::default();
    let mut problems = Vec::new();
    let mut seen: BTreeMap<ObjectKey, (&str, u64)> = BTreeMap::new();
    for (file, found) in files {
        for Found { place, object } in found {
            match seen.entry(object.key()) {
                Entry::Vacant(free) => {
                    free.insert((file, place.line));
                    add(&mut objects, object);
                }
                Entry::Occupied(taken) => {
                    let (first, line) = taken.get();
                    problems.push(Problem {
                        severity: Severity::Error,
                        reason: Reason::Duplicate,
                        file: file.to_owned(),
                        object: None,
                        line: Some(place.line),
                        column: Some(place.column),
                        field: Some("metadata.name".to_owned()),
                        message: format!(
                            "{} is already defined at {first}:{line}, which counts",
                            taken.key()
                        ),
                    });
                }
            }
        }
    }
    (objects, problems)
}

fn add(objects: &mut LocalObjects, object: &Object) {
    match object {
        Object::Namespace(name) => {
            objects.namespaces.insert(name.clone());
        }
        Object::Service(id, service) => {
            objects.services.insert(id.clone(), Arc::clone(service));
        }
        Object::Slice(service, name, slice) => {
            let slices = objects.slices.entry(service.clone()).or_default();
            Arc::make_mut(slices).insert(name.clone(), Arc::clone(slice));
        }
        Object::Export(id, export) => {
            objects.exports.insert(id.clone(), Arc::clone(export));
        }
    }
}
