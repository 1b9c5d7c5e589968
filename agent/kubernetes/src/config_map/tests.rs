use super::*;
use crate::apply::fake::{Fake, Wrong, key};

#[tokio::test(start_paused = true)]
async fn one_key_is_published_only_if_it_differs_and_the_others_stay() {
    let fake = Fake::new();
    let client = fake.client();
    assert!(publish(&client, "isthmus-system", "isthmus-ca", "ca.pem", "one").await.unwrap());
    assert!(!publish(&client, "isthmus-system", "isthmus-ca", "ca.pem", "one").await.unwrap());
    assert!(publish(&client, "isthmus-system", "isthmus-ca", "other", "x").await.unwrap());
    assert!(publish(&client, "isthmus-system", "isthmus-ca", "ca.pem", "two").await.unwrap());
    let path = key("configmaps", "isthmus-system/isthmus-ca");
    fake.edit(|held| assert_eq!(held.get(&path).unwrap()["data"], json!({"ca.pem": "two", "other": "x"})));
    assert_eq!(fake.calls().iter().filter(|call| call.method == Method::PATCH).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_is_told() {
    let fake = Fake::new();
    let client = fake.client();
    fake.fail("configmaps", 1, Wrong::Says(403, r#"{"message":"no"}"#.into(), None));
    let error = publish(&client, "a", "b", "c", "d").await.unwrap_err();
    assert_eq!(error.to_string(), "the API server refused it (403): no");
    let large = "x".repeat(LARGEST_TEXT + 1);
    assert!(matches!(publish(&client, "a", "b", "c", &large).await, Err(ConfigMapError::TooLarge { .. })));
}
