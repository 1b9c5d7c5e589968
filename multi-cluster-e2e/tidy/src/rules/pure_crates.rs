//! Pure crates have no async runtime, clock, randomness or input and output: time and ids come in as values.

use crate::Problem;
use crate::lexer::code_of;
use crate::repository::TextFile;
use crate::tests_in::tests_begin;
use crate::workspace::Member;

/// The pure crates, by name and by directory.
const PURE: [(&str, &str); 4] = [
    ("federation-model", "federation/model/"),
    ("agent-plan", "agent/plan/"),
    ("east-west-gateway-route", "east-west-gateway/route/"),
    ("multi-cluster-e2e-history", "multi-cluster-e2e/history/"),
];

/// Crates that bring a runtime, sockets or randomness.
const IMPURE: [&str; 15] = [
    "tokio",
    "async-std",
    "smol",
    "async-io",
    "async-executor",
    "futures-executor",
    "mio",
    "socket2",
    "hyper",
    "tonic",
    "reqwest",
    "rand",
    "getrandom",
    "fastrand",
    "uuid",
];

/// Names from the standard library that do.
const IMPURE_CODE: [&str; 11] = [
    "SystemTime",
    "Instant",
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "std::io",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "RandomState",
];

/// Impure crates linked into pure ones.
#[must_use]
pub fn linked(members: &[Member]) -> Vec<Problem> {
    let pure = members.iter().filter(|member| PURE.iter().any(|(name, _)| *name == member.name));
    pure.flat_map(|member| {
        let impure = IMPURE.iter().filter(|name| member.closure.contains(**name));
        impure.map(|name| Problem::whole(&member.name, format!("is pure, and {name} is linked into it")))
    })
    .collect()
}

/// Impure names in the sources of pure crates, tests left out.
#[must_use]
pub fn named(files: &[TextFile]) -> Vec<Problem> {
    let pure = |file: &&TextFile| {
        file.is_rust()
            && PURE.iter().any(|(_, directory)| {
                file.path.strip_prefix(directory).is_some_and(|rest| rest.starts_with("src/"))
            })
    };
    files
        .iter()
        .filter(pure)
        .flat_map(|file| {
            let code = code_of(&file.text);
            let end = tests_begin(file, &code);
            let code = code.get(..end).unwrap_or_default().to_owned();
            let found: Vec<Problem> = IMPURE_CODE
                .iter()
                .flat_map(|name| code.match_indices(name).map(|(at, _)| (at, *name)))
                .filter(|(at, name)| whole_word(&code, *at, name.len()))
                .map(|(at, name)| {
                    Problem::in_text(
                        &file.path,
                        &file.text,
                        at,
                        format!("this crate is pure, and names {name}"),
                    )
                })
                .collect();
            found
        })
        .collect()
}

/// Whether the name at `at` is not a part of a longer one.
pub(crate) fn whole_word(code: &str, at: usize, length: usize) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let before = code.get(..at).and_then(|before| before.chars().next_back());
    let after = code.get(at + length..).and_then(|after| after.chars().next());
    !before.is_some_and(word) && !after.is_some_and(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_in_the_tree_is_found() {
        let mut member = Member {
            name: "agent-plan".to_owned(),
            directory: "agent/plan".to_owned(),
            depends: ["federation-model".to_owned()].into(),
            tests_depend: ["tokio".to_owned()].into(),
            closure: ["federation-model".to_owned()].into(),
        };
        assert_eq!(linked(std::slice::from_ref(&member)), []);
        member.closure.insert("tokio".to_owned());
        assert_eq!(linked(&[member])[0].what, "is pure, and tokio is linked into it");
    }

    #[test]
    fn a_clock_in_the_code_is_found_and_one_in_a_test_or_comment_is_not() {
        let text =
            "// Instant\nfn f() { let n = SystemTime::now(); }\n#[cfg(test)]\nmod tests { use std::fs; }\n";
        let found = named(&[TextFile::sample("federation/model/src/lib.rs", text)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].line, Some(2));
        assert_eq!(named(&[TextFile::sample("federation/kit/src/lib.rs", text)]), []);
    }
}
