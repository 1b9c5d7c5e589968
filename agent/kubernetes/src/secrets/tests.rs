use serde_json::json;

use super::*;
use crate::apply::fake::{Fake, Wrong, key};

fn store() -> (Fake, SecretStore) {
    let fake = Fake::new();
    let store = SecretStore::new(fake.client(), "isthmus-system", "isthmus-agent");
    (fake, store)
}

fn entries(entries: &[(&str, &[u8])]) -> Entries {
    entries.iter().map(|(key, value)| ((*key).to_owned(), Zeroizing::new(value.to_vec()))).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_saved_is_loaded_and_other_peoples_keys_stay() {
    let (fake, store) = store();
    assert_eq!(store.load().await.unwrap(), None);
    store.save(&entries(&[("a.json", b"{}"), ("key.pem", &[0, 255, 10])])).await.unwrap();
    let path = key("secrets", "isthmus-system/isthmus-agent");
    fake.edit(|held| {
        assert_eq!(held.get(&path).unwrap()["type"], "Opaque");
        held.change(&path, |value| value["data"]["theirs"] = "eA==".into());
    });
    store.save(&entries(&[("key.pem", b"new")])).await.unwrap();
    let loaded = store.load().await.unwrap().unwrap();
    assert_eq!(loaded, entries(&[("key.pem", b"new"), ("theirs", b"x")]));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_is_refused_before_it_is_sent() {
    let (fake, store) = store();
    let large = vec![0; LARGEST_SECRET + 1];
    assert!(matches!(store.save(&entries(&[("a", &large)])).await, Err(SecretError::TooLarge { .. })));
    for key in ["", "a/b", "a\"b", "ä"] {
        assert!(matches!(store.save(&entries(&[(key, b"x")])).await, Err(SecretError::Key { .. })), "{key}");
    }
    assert_eq!(fake.calls().len(), 0);
    let fits = vec![7; LARGEST_SECRET - 10];
    store.save(&entries(&[("a", &fits)])).await.unwrap();
    assert_eq!(store.load().await.unwrap().unwrap(), entries(&[("a", &fits)]));
}

#[tokio::test(start_paused = true)]
async fn no_error_tells_a_secret() {
    let (fake, store) = store();
    let secret = entries(&[("key.pem", b"hush hush")]);
    let quoted = json!({"message": "you sent aHVzaCBodXNo"}).to_string();
    fake.fail("secrets", 1, Wrong::Says(422, quoted.clone(), None));
    let error = store.save(&secret).await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("aHVz"), "{error:?}");
    let path = key("secrets", "isthmus-system/isthmus-agent");
    for data in [json!({"a": "aHVz not base64"}), json!({"a": ["aHVz"]}), json!("aHVz")] {
        fake.edit(|held| held.put(&path, json!({"data": data})));
        let error = store.load().await.unwrap_err();
        assert!(matches!(error, SecretError::Unreadable { .. }));
        assert!(!format!("{error:?} {error}").contains("aHVz"), "{error:?}");
    }
    fake.fail("secrets", 1, Wrong::Says(403, quoted, None));
    assert!(matches!(store.load().await, Err(SecretError::Refused { status: 403, .. })));
    assert_eq!(format!("{store:?}"), "SecretStore(isthmus-system/isthmus-agent)");
}
