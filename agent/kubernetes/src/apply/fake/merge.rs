//! Server-side apply and merge patches, as far as this crate needs them.

use serde_json::{Map, Value};

/// Makes `held` say what `new` says, and no longer what only `old`, the same manager's last word, said. Lists whose
/// entries have a `type` and a `status` are conditions, and kept apart by type; other lists are replaced whole.
pub(super) fn apply(held: &mut Value, old: &Value, new: &Value) {
    if let (Value::Object(held), Value::Object(new)) = (&mut *held, new) {
        if let Value::Object(old) = old {
            for (key, value) in old {
                match new.get(key) {
                    None if value.is_object() => {
                        if let Some(inner) = held.get_mut(key) {
                            apply(inner, value, &Value::Object(Map::new()));
                        }
                    }
                    None => {
                        held.remove(key);
                    }
                    Some(_) => {}
                }
            }
        }
        for (key, value) in new {
            apply(
                held.entry(key.clone()).or_insert(Value::Null),
                old.get(key).unwrap_or(&Value::Null),
                value,
            );
        }
        return;
    }
    match (&mut *held, new) {
        (Value::Array(held), Value::Array(new)) if new.iter().all(is_condition) && !new.is_empty() => {
            for condition in new {
                match held.iter_mut().find(|one| one["type"] == condition["type"]) {
                    Some(one) => *one = condition.clone(),
                    None => held.push(condition.clone()),
                }
            }
        }
        _ => *held = new.clone(),
    }
}

/// RFC 7396.
pub(super) fn merge(held: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *held = patch.clone();
        return;
    };
    if !held.is_object() {
        *held = Value::Object(Map::new());
    }
    for (key, value) in patch {
        if value.is_null() {
            held.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut held[key.as_str()], value);
        }
    }
}

fn is_condition(value: &Value) -> bool {
    value.get("type").is_some() && value.get("status").is_some()
}
