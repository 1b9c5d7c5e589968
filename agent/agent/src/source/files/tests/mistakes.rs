//! Bad input in real files: the last good state stays, the problem is named, and nobody else is disturbed.

use super::*;
use crate::source::Reason;

/// Name, bytes, and then reason, line and field of the problem.
type Case = (&'static str, Vec<u8>, Reason, Option<u64>, Option<&'static str>);

#[tokio::test]
async fn a_mistake_keeps_the_last_good_state_of_its_file_and_disturbs_no_other() {
    let bomb = {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let previous = format!("*a{}", level - 1);
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![previous; 9].join(", ")));
        }
        bomb
    };
    let long = "n".repeat(300);
    let cases: [Case; 9] = [
        ("truncated", service("x").trim_end_matches("]}\n").into(), Reason::Syntax, Some(4), None),
        ("huge", vec![b' '; 1024 * 1024 + 1], Reason::TooLarge, None, None),
        ("not UTF-8", b"kind: \xff\n".to_vec(), Reason::NotText, Some(1), None),
        ("duplicate key", b"kind: Service\nkind: Service\n".to_vec(), Reason::Syntax, Some(2), None),
        (
            "wrong type",
            service("x").replace("80", "eighty").into(),
            Reason::Field,
            Some(4),
            Some("spec.ports[0].port"),
        ),
        (
            "port 0",
            service("x").replace("80", "0").into(),
            Reason::Field,
            Some(4),
            Some("spec.ports[0].port"),
        ),
        ("300 bytes", service(&long).into(), Reason::Field, Some(3), Some("metadata.name")),
        ("bomb", bomb.into(), Reason::TooComplex, None, None),
        ("deep", "[".repeat(5_000).into(), Reason::Syntax, Some(1), None),
    ];
    let mut lab = Lab::new(&[("a.yaml", &service("a")), ("b.yaml", &service("b"))]);
    lab.services(&["a", "b"]).await;
    for (case, bytes, reason, line, field) in cases {
        lab.write("a.yaml", bytes);
        let state = lab.until(case, |state| !state.ok()).await;
        assert_eq!(service_names(&state), ["a", "b"], "{case}");
        let problem = &state.problems[0];
        assert_eq!((problem.file.as_str(), problem.reason), ("a.yaml", reason), "{case}: {problem}");
        assert!(line.is_none() || problem.line == line, "{case}: {problem}");
        assert_eq!(problem.field.as_deref(), field, "{case}: {problem}");
        lab.write("a.yaml", service("a"));
        lab.until("all is well again", SourceState::ok).await;
    }
}

#[tokio::test]
async fn an_object_that_is_defined_twice_counts_as_the_first_file_says() {
    let mut lab = Lab::new(&[("a.yaml", &service("x")), ("b.yaml", &service("x").replace("80", "81"))]);
    let state = lab.services(&["x"]).await;
    let [problem] = state.problems.as_slice() else { panic!("{:?}", state.problems) };
    assert_eq!(
        problem.to_string(),
        "b.yaml:1:1: metadata.name: Service demo/x is already defined at a.yaml:1, which counts"
    );
    let port = |state: &SourceState| state.objects.services.values().next().unwrap().spec.clone().unwrap();
    assert_eq!(port(&state).ports.unwrap()[0].port, 80);
    fs::remove_file(lab.path("a.yaml")).unwrap();
    let state = lab.until("the other counts", SourceState::ok).await;
    assert_eq!(port(&state).ports.unwrap()[0].port, 81);
}

#[tokio::test]
async fn an_unknown_kind_is_a_warning() {
    let mut lab = Lab::new(&[("a.yaml", "apiVersion: apps/v1\nkind: Deployment\n")]);
    let state = lab.until("the warning", |state| !state.problems.is_empty()).await;
    assert!(state.ok());
    let told = "a.yaml:2:7: kind: Deployment (apps/v1) is not read by this source";
    assert_eq!(state.problems[0].to_string(), told);
}

#[tokio::test]
async fn a_link_that_leads_nowhere_is_named() {
    let mut lab = Lab::new(&[("a.yaml", &service("a"))]);
    std::os::unix::fs::symlink("/nowhere/at/all", lab.path("b.yaml")).unwrap();
    let state = lab.until("the problem", |state| !state.ok() && state.loaded).await;
    assert_eq!(state.problems[0].file, "b.yaml");
    assert_eq!(service_names(&state), ["a"]);
}
