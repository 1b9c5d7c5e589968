//! The hash of what was applied.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The first 16 hex digits of the SHA-256 of a value as JSON without spaces and with sorted keys. The same in every
/// build: an object is not written again because the agent is another.
pub(super) fn hash(value: &Value) -> String {
    let mut text = String::new();
    canonical(value, &mut text);
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for item in items {
                canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(map) => {
            text.push('{');
            for (key, value) in map.iter().collect::<BTreeMap<_, _>>() {
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                canonical(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_keys_does_not_matter_and_everything_else_does() {
        let one = json!({"a": [1, {"b": "c", "d": null}], "e": true});
        let other: Value = serde_json::from_str(r#"{"e":true,"a":[1,{"d":null,"b":"c"}]}"#).unwrap();
        assert_eq!(hash(&one), hash(&other));
        // Fixed for ever: agents of different versions work on one cluster during an upgrade.
        assert_eq!(hash(&one), "e23e694e0c59c7d6");
        for different in [json!({"a": [1]}), json!({"a": ["1"]}), json!({"a": [[1]]}), json!({"a": [{}]})] {
            assert_ne!(hash(&one), hash(&different));
        }
    }
}
