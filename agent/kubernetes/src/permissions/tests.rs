//! The table itself.

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_rule_is_there_once_and_says_why() {
    let mut seen = BTreeSet::new();
    for rule in RULES {
        assert!(seen.insert((rule.group, rule.resource, rule.scope, rule.name)), "{rule} is there twice");
        assert!(!rule.verbs.is_empty() && !rule.why.is_empty(), "{rule}");
        assert!(rule.verbs.iter().all(|verb| *verb != "*") && rule.resource != "*", "{rule} is a wildcard");
    }
}

#[test]
fn secrets_are_read_by_name_and_in_our_own_namespace_only() {
    for rule in RULES.iter().filter(|rule| rule.resource == "secrets") {
        assert_eq!(rule.scope, Scope::OwnNamespace, "{rule}");
        assert!(rule.name.is_some() || rule.verbs == ["create"], "{rule}");
    }
}

#[test]
fn what_is_missing_is_said_in_a_sentence() {
    let rule = *reading("discovery.k8s.io", "endpointslices").unwrap();
    let missing = Missing { rule, verbs: vec!["list", "watch"] };
    assert_eq!(
        missing.to_string(),
        "list, watch of discovery.k8s.io/endpointslices in the whole cluster: reads what is exported; writes the \
         slices of imports"
    );
}
