use super::*;

fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn labels_and_annotations_are_judged_as_kubernetes_does() {
    let long = |len: usize| "x".repeat(len);
    // Key, value, and whether it may be a label and an annotation.
    let cases: [(&str, &str, bool, bool); 24] = [
        ("team", "a", true, true),
        ("team", "", true, true),
        ("example.com/Team_1.x", "A-b_c.9", true, true),
        (&long(63), &long(63), true, true),
        (&long(64), "", false, false),
        ("team", &long(64), false, true),
        ("team", "-a", false, true),
        ("team", "a b", false, true),
        ("team", "é", false, true),
        ("", "a", false, false),
        ("/team", "a", false, false),
        ("example.com/", "a", false, false),
        ("a/b/c", "a", false, false),
        ("Example.com/team", "a", false, true),
        ("example..com/team", "a", false, false),
        ("-example.com/team", "a", false, false),
        ("exa_mple.com/team", "a", false, false),
        (&format!("{}/team", long(253)), "a", true, true),
        (&format!("{}/team", long(254)), "a", false, false),
        ("team-", "a", false, false),
        ("te am", "a", false, false),
        ("app.kubernetes.io/managed-by", "helm", false, false),
        ("isthmus.dev/content", "a", false, false),
        ("isthmus.dev.example.com/content", "a", true, true),
    ];
    for (key, value, label, annotation) in cases {
        let given = map(&[(key, value)]);
        assert_eq!(check_labels(&given).is_ok(), label, "label {key:?}: {value:?}");
        assert_eq!(check_annotations(&given).is_ok(), annotation, "annotation {key:?}: {value:?}");
        // The importer's word is the same.
        assert_eq!(carried_labels(&given).len(), usize::from(label), "label {key:?}: {value:?}");
        assert_eq!(
            carried_annotations(&given).len(),
            usize::from(annotation),
            "annotation {key:?}: {value:?}"
        );
    }
}

#[test]
fn what_is_wrong_is_named() {
    let wrong = |entries: &[(&str, &str)]| check_labels(&map(entries)).unwrap_err().to_string();
    assert_eq!(
        wrong(&[("a", "b"), ("no spaces", "x")]),
        "\"no spaces\" is not a name that Kubernetes takes: an optional DNS name and '/', then at most 63 letters, \
         digits, '-', '_' and '.'"
    );
    assert_eq!(
        wrong(&[("team", "a/b")]),
        "the value of \"team\" is not one that Kubernetes takes: at most 63 letters, digits, '-', '_' and '.'"
    );
    assert_eq!(wrong(&[(MANAGED_BY, "x")]), format!("{MANAGED_BY:?} is set by the controller itself"));
    assert!(wrong(&[(&"é".repeat(1_000), "x")]).chars().count() < 250, "a message has a bound");
}

#[test]
fn annotations_of_an_import_leave_room_for_others() {
    let value = "v".repeat(4_096);
    let exported: BTreeMap<String, String> =
        (0..256).map(|number| (format!("a{number:03}"), value.clone())).collect();
    let carried = carried_annotations(&exported);
    let size: usize = carried.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert!(size <= MAX_ANNOTATIONS && size > MAX_ANNOTATIONS - 5_000, "{size}");
    assert!(carried.contains_key("a000") && !carried.contains_key("a255"));
}
