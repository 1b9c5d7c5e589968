//! Nothing unfinished, nothing switched off, no name where it does not belong.

use crate::Problem;
use crate::lexer::code_of;
use crate::repository::TextFile;
use crate::rules::pure_crates::whole_word;

/// What may not stand in code, and why.
const BANNED: [(&str, &str); 6] = [
    ("todo!", "finish it, or leave a seam that compiles"),
    ("unimplemented!", "finish it, or leave a seam that compiles"),
    ("dbg!", "use tracing"),
    ("#[ignore", "a test that does not run proves nothing"),
    ("unsafe {", "unsafe code is denied"),
    ("tokio::main", "a daemon starts by federation_kit::daemon"),
];

/// `tokio::main` is for programs that are no daemons.
const MAY_USE_TOKIO_MAIN: [&str; 2] = ["multi-cluster-e2e/", "federation/cli/"];

/// The one file that replaces functions of the C library, and must.
const MAY_BE_UNSAFE: &str = "multi-cluster-e2e/sim/src/nature.rs";

/// Names that belong to one crate, and its directory.
const CONFINED: [(&str, &str); 2] = [("openraft", "federation/raft/"), ("sled", "federation/raft/")];

/// Banned words in code, and confined names outside of their crate.
#[must_use]
pub fn problems(files: &[TextFile]) -> Vec<Problem> {
    let ours = files.iter().filter(|file| file.is_rust() && !file.is_generated());
    ours.flat_map(in_file).collect()
}

fn in_file(file: &TextFile) -> Vec<Problem> {
    let code = code_of(&file.text);
    let mut problems = Vec::new();
    for (word, why) in BANNED {
        let excused = match word {
            "tokio::main" => MAY_USE_TOKIO_MAIN.iter().any(|path| file.path.starts_with(path)),
            "unsafe {" => file.path == MAY_BE_UNSAFE,
            _ => false,
        };
        if excused {
            continue;
        }
        for (at, _) in code.match_indices(word) {
            let starts_word = code
                .get(..at)
                .is_none_or(|before| !before.ends_with(|c: char| c.is_alphanumeric() || c == '_'));
            if starts_word {
                problems.push(Problem::in_text(&file.path, &code, at, format!("`{word}`: {why}")));
            }
        }
    }
    for (name, owner) in CONFINED.into_iter().filter(|(_, owner)| !file.path.starts_with(owner)) {
        let named = code.match_indices(name).filter(|(at, _)| whole_word(&code, *at, name.len()));
        problems
            .extend(named.map(|(at, _)| {
                Problem::in_text(&file.path, &code, at, format!("only {owner} names {name}"))
            }));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leftover_is_found_in_code_and_in_code_only() {
        for (word, _) in BANNED {
            let file = TextFile::sample(
                "federation/kit/src/a.rs",
                &format!("// {word}\nlet a = \"{word}\";\n{word}"),
            );
            let found = problems(&[file]);
            assert_eq!(found.len(), 1, "{word}: {found:?}");
            assert_eq!(found[0].line, Some(3));
        }
    }

    #[test]
    fn a_confined_name_is_found_outside_of_its_crate() {
        let text = "use openraft::Raft;\nlet troubled = 1;";
        assert_eq!(problems(&[TextFile::sample("federation/server/src/a.rs", text)]).len(), 1);
        assert_eq!(problems(&[TextFile::sample("federation/raft/src/a.rs", text)]), []);
    }
}
