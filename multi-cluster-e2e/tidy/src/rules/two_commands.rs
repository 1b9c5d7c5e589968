//! A newcomer needs two commands, and everybody runs the same ones.

use crate::Problem;
use crate::repository::TextFile;

/// Files that must exist, and what must stand in each.
const MUST: [(&str, &[&str]); 8] = [
    ("README.md", &["make lab", "make test"]),
    (".ci/run", &["make test"]),
    ("Makefile", &["lab:", "test:", "bench:", "isthmus-lab check", "--locked"]),
    ("LICENSE", &["Apache License", "Version 2.0, January 2004"]),
    ("deny.toml", &["[advisories]", "[licenses]", "[sources]"]),
    ("Cargo.toml", &["unsafe_code = \"deny\""]),
    ("docs/ARCHITECTURE.md", &["# "]),
    // Regenerates the wire types from the .proto files and fails when what is checked in differs.
    ("federation/api/tests/generated.rs", &["#[test]", "assert"]),
];

/// Missing files, missing words, and cargo commands of the Makefile that would change the lock file.
#[must_use]
pub fn problems(files: &[TextFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, words) in MUST {
        let Some(file) = files.iter().find(|file| file.path == path) else {
            problems.push(Problem::whole(path, "is missing"));
            continue;
        };
        let absent = words.iter().filter(|word| !file.text.contains(**word));
        problems.extend(absent.map(|word| Problem::whole(path, format!("does not say `{word}`"))));
    }
    for makefile in files.iter().filter(|file| file.path == "Makefile") {
        for (index, line) in makefile.text.lines().enumerate() {
            let builds = ["build", "test", "clippy", "run", "bench"]
                .iter()
                .any(|verb| line.contains(&format!("$(CARGO) {verb}")));
            if builds && !line.contains("--locked") {
                let what = "cargo without --locked".to_owned();
                problems.push(Problem { at: makefile.path.clone(), line: Some(index + 1), what });
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_a_missing_word_and_an_open_lock_are_found() {
        let mut files: Vec<TextFile> =
            MUST.iter().map(|(path, words)| TextFile::sample(path, &words.join("\n"))).collect();
        assert_eq!(problems(&files), []);
        files[0].text = "make lab".to_owned();
        files[2].text.push_str("\n\t$(CARGO) build\n");
        files.remove(3);
        let found: Vec<String> = problems(&files).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "README.md: does not say `make test`",
                "LICENSE: is missing",
                "Makefile:6: cargo without --locked"
            ]
        );
    }
}
