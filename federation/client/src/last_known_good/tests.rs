use federation_model::{Bundle, Item, Revision, Vip};
use proptest::prelude::*;

use super::*;

fn store(directory: &Path) -> Store {
    Store::new(directory.join("view"), "lab".parse().unwrap(), "east".parse().unwrap())
}

fn view() -> FederationView {
    let mut view = FederationView { revision: Revision(42), ..FederationView::default() };
    view.upsert(Item::Bundle(Bundle {
        trust_domain: "west.lab".parse().unwrap(),
        authorities: vec![federation_model::bundle::AuthorityDer(vec![1, 2, 3])],
        sequence: 1,
        refresh_hint: 300,
    }));
    let vip = Vip { v4: "240.240.0.1".parse().unwrap(), v6: "fd69:7374:686d::1".parse().unwrap() };
    view.upsert(Item::Vip("demo/echo".parse().unwrap(), vip));
    view
}

#[test]
fn what_is_saved_is_loaded() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path());
    assert!(store.load().unwrap().is_none());
    store.save(&view()).unwrap();
    assert_eq!(store.load().unwrap(), Some(view()));
    let newer = FederationView { revision: Revision(43), ..view() };
    store.save(&newer).unwrap();
    assert_eq!(store.load().unwrap(), Some(newer));
}

#[test]
fn every_cut_is_an_error_with_a_name() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path());
    store.save(&view()).unwrap();
    let whole = std::fs::read(store.path()).unwrap();
    for length in 0..whole.len() {
        std::fs::write(store.path(), &whole[..length]).unwrap();
        let error = store.load().unwrap_err();
        let expected = if length < MAGIC.len() { "is not a saved view" } else { "is damaged" };
        assert!(error.to_string().contains(expected), "{length}: {error}");
    }
}

#[test]
fn foreign_and_newer_files_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path());
    store.save(&view()).unwrap();

    let west = Store::new(store.path(), "lab".parse().unwrap(), "west".parse().unwrap());
    assert!(matches!(west.load(), Err(LoadError::Foreign { .. })));
    let other = Store::new(store.path(), "prod".parse().unwrap(), "east".parse().unwrap());
    assert!(matches!(other.load(), Err(LoadError::Foreign { .. })));

    let mut bytes = std::fs::read(store.path()).unwrap();
    bytes[MAGIC.len()] = VERSION + 1;
    std::fs::write(store.path(), &bytes).unwrap();
    assert!(matches!(store.load(), Err(LoadError::Newer { found, .. }) if found == VERSION + 1));

    std::fs::write(store.path(), b"apiVersion: v1").unwrap();
    assert!(matches!(store.load(), Err(LoadError::NotOurs(_))));
    std::fs::remove_file(store.path()).unwrap();
    std::fs::create_dir(store.path()).unwrap();
    assert!(matches!(store.load(), Err(LoadError::File(_))));
}

#[test]
fn an_intact_file_that_holds_something_else_cannot_be_decoded() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path());
    let body = rmp_serde::to_vec_named(&"a text").unwrap();
    let mut bytes = MAGIC.to_vec();
    bytes.push(VERSION);
    bytes.extend_from_slice(&Sha256::digest(&body));
    bytes.extend_from_slice(&body);
    std::fs::write(store.path(), bytes).unwrap();
    assert!(matches!(store.load(), Err(LoadError::Decode { .. })));
}

proptest! {
    #[test]
    fn any_changed_byte_is_an_error_and_not_a_panic(at in any::<prop::sample::Index>(), flip in 1u8..) {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path());
        store.save(&view()).unwrap();
        let mut bytes = std::fs::read(store.path()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        std::fs::write(store.path(), bytes).unwrap();
        prop_assert!(store.load().is_err());
    }
}
