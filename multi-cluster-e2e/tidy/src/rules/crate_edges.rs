//! Who may depend on whom.

use std::collections::{BTreeMap, BTreeSet};

use crate::Problem;
use crate::workspace::Member;

/// The direction of `docs/ARCHITECTURE.md`: a crate, and all that it may name of the workspace.
const ALLOWED: [(&str, &[&str]); 13] = [
    ("federation-model", &[]),
    ("federation-kit", &[]),
    ("federation-trust", &["federation-model"]),
    ("federation-api", &["federation-model"]),
    ("agent-plan", &["federation-model"]),
    ("east-west-gateway-route", &["federation-model"]),
    ("federation-raft", &["federation-model", "federation-trust", "federation-api", "federation-kit"]),
    ("federation-client", &["federation-model", "federation-trust", "federation-api", "federation-kit"]),
    (
        "federation-server",
        &[
            "federation-raft",
            "federation-client",
            "federation-model",
            "federation-trust",
            "federation-api",
            "federation-kit",
        ],
    ),
    ("agent-kubernetes", &["agent-plan", "federation-model", "federation-kit"]),
    (
        "agent-agent",
        &[
            "agent-plan",
            "agent-kubernetes",
            "federation-client",
            "federation-model",
            "federation-trust",
            "federation-api",
            "federation-kit",
        ],
    ),
    (
        "east-west-gateway-gateway",
        &[
            "east-west-gateway-route",
            "federation-client",
            "federation-model",
            "federation-trust",
            "federation-api",
            "federation-kit",
        ],
    ),
    ("federation-cli", &["federation-client", "federation-api", "federation-model", "federation-trust"]),
];

/// These may name anything of the workspace, and nothing may name them.
const END_TO_END: &str = "multi-cluster-e2e-";

/// Third-party crates that only one of ours may name.
const CONFINED: [(&str, &str); 3] =
    [("openraft", "federation-raft"), ("sled", "federation-raft"), ("kube", "agent-kubernetes")];

/// Every edge that is not allowed, also among dependencies of tests.
#[must_use]
pub fn problems(members: &[Member]) -> Vec<Problem> {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    let ours: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let mut problems = Vec::new();
    for member in members {
        for name in member.depends.union(&member.tests_depend) {
            if let Some((confined, owner)) = CONFINED.iter().find(|(confined, _)| confined == name)
                && member.name != *owner
                && !(member.name.starts_with(END_TO_END) && *confined == "kube")
            {
                problems.push(Problem::whole(&member.name, format!("only {owner} may depend on {confined}")));
            }
            if !ours.contains(name.as_str()) {
                continue;
            }
            if name.starts_with(END_TO_END) && !member.name.starts_with(END_TO_END) {
                problems.push(Problem::whole(&member.name, format!("nothing may depend on {name}")));
            } else if !member.name.starts_with(END_TO_END)
                && !allowed.get(member.name.as_str()).is_some_and(|may| may.contains(&name.as_str()))
            {
                problems.push(Problem::whole(&member.name, format!("may not depend on {name}")));
            }
        }
        if !member.name.starts_with(END_TO_END) && !allowed.contains_key(member.name.as_str()) {
            problems.push(Problem::whole(&member.name, "is not in the list of who may depend on whom"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, depends: &[&str], tests_depend: &[&str]) -> Member {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Member {
            name: name.to_owned(),
            directory: name.replace('-', "/"),
            depends: set(depends),
            tests_depend: set(tests_depend),
            closure: BTreeSet::new(),
        }
    }

    #[test]
    fn a_wrong_edge_is_found_whichever_way_it_is_made() {
        let members = [
            member("federation-model", &["serde"], &["federation-kit"]),
            member("federation-kit", &["tokio"], &[]),
            member("federation-server", &["sled", "multi-cluster-e2e-lab"], &[]),
            member("multi-cluster-e2e-lab", &["federation-server"], &[]),
            member("federation-surprise", &[], &[]),
        ];
        let found: Vec<String> = problems(&members).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "federation-model: may not depend on federation-kit",
                "federation-server: nothing may depend on multi-cluster-e2e-lab",
                "federation-server: only federation-raft may depend on sled",
                "federation-surprise: is not in the list of who may depend on whom",
            ]
        );
    }

    #[test]
    fn the_right_direction_is_no_problem() {
        let members = [
            member("federation-model", &[], &[]),
            member("federation-raft", &["federation-model", "openraft"], &[]),
        ];
        assert_eq!(problems(&members), []);
    }
}
