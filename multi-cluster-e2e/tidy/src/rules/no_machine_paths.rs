//! Nothing in the repository knows the machine it was written on.

use crate::Problem;
use crate::repository::TextFile;

/// Beginnings of paths that exist on one machine only. Written in halves, so that this file does not find itself.
const MACHINE: [&str; 6] = [
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/opt/wh", "eels"),
    concat!("/tmp/i", "so"),
];

/// Places where a text names such a path; a longer path or an address that merely contains the word is no match.
#[must_use]
pub fn problems(files: &[TextFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files {
        for needle in MACHINE {
            for (at, _) in file.text.match_indices(needle) {
                let inside = |c: char| c.is_alphanumeric() || "_-.}~".contains(c);
                if !file.text.get(..at).is_some_and(|before| before.ends_with(inside)) {
                    let what = format!("`{needle}` is a path of one machine");
                    problems.push(Problem::in_text(&file.path, &file.text, at, what));
                }
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_machine_is_found_and_an_address_is_not() {
        let text = format!("see {}notes.md\nhttps://example.org{}x\n", MACHINE[0], MACHINE[0]);
        let found = problems(&[TextFile::sample("README.md", &text)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].line, Some(1));
    }
}
