//! What is refused, and where it is said to be.

use proptest::prelude::*;

use super::*;

fn refusal(text: &str) -> String {
    let mistake = documents(text.as_bytes()).unwrap_err();
    let place =
        mistake.place.map_or_else(|| "?".to_owned(), |place| format!("{}:{}", place.line, place.column));
    format!("{place} {}", mistake.message)
}

#[test]
fn broken_text_is_refused_with_its_place() {
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let cases = [
        ("a: [1, 2", "1:4 unclosed bracket"),
        ("a: 1\nb:\n  - x\n c: 2\n", "4:"),
        ("a: 1\n---\nb: 1\nb: 2\n", "4:1 duplicate mapping key"),
        ("a: \"x\n", "2:1 invalid indentation"),
        ("a: *nobody\n", "1:4"),
        ("a: .nan\n", "1:4"),
        (&deep, "1:6"),
    ];
    let wrong = cases.into_iter().map(|(text, expected)| (text, expected, refusal(text)));
    let wrong: Vec<_> = wrong.filter(|(_, expected, found)| !found.starts_with(expected)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn lines_count_through_the_whole_file() {
    let documents = documents(b"# comment\na: 1\n---\n# more\nb:\n  c: [1, x]\n---\n").unwrap();
    assert_eq!(documents.len(), 2);
    let path = FieldPath::of(&["b", "c"]).index(1);
    assert_eq!(documents[1].place_of(&path), Place { line: 6, column: 10 });
    assert_eq!(path.to_string(), "b.c[1]");
    let missing = FieldPath::of(&["b", "nothing", "x"]);
    assert_eq!(documents[1].place_of(&missing).line, 6, "the nearest ancestor");
}

#[test]
fn an_anchor_bomb_is_refused_and_an_anchor_is_not() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let previous = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![previous; 9].join(", ")));
    }
    assert!(refusal(&bomb).contains("anchors that multiply"), "{}", refusal(&bomb));
    let fine = documents(b"a: &a {x: 1}\nb: *a\n").unwrap();
    assert_eq!(fine[0].get("b").unwrap().to_json(), serde_json::json!({"x": 1}));
}

#[test]
fn bytes_that_are_not_text_are_refused_with_their_place() {
    let mistake = documents(b"a: 1\nb: \xff\n").unwrap_err();
    assert_eq!(mistake.place, Some(Place { line: 2, column: 4 }));
    assert_eq!(mistake.message, "is not UTF-8 text");
}

#[test]
fn scalars_are_what_kubernetes_takes_them_for() {
    let documents = documents(b"{a: 1, b: '1', c: yes, d: true, e: 1.5, f: ~, g: 0x10, h: 1e3}").unwrap();
    let expected = serde_json::json!(
        {"a": 1, "b": "1", "c": "yes", "d": true, "e": 1.5, "f": null, "g": 16, "h": 1000.0});
    assert_eq!(documents[0].to_json(), expected);
}

#[test]
fn too_many_documents_are_refused() {
    assert!(documents("a: 1\n---\n".repeat(limits::MAX_DOCUMENTS + 1).as_bytes()).is_err());
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = documents(&bytes);
    }

    #[test]
    fn random_yaml_like_text_never_panics(text in "[-a-c0-9:&*!|>\\[\\]{}#'\", \n\t%@?<]{0,200}") {
        let _ = documents(text.as_bytes());
    }
}
