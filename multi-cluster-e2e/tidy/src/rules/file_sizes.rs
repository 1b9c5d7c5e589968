//! Files stay small enough to be read in one sitting.

use crate::Problem;
use crate::repository::TextFile;

/// More lines than this fail.
pub const MOST: usize = 600;

/// More lines than this are worth a look.
pub const SMELL: usize = 400;

/// Rust files over [`MOST`] lines.
#[must_use]
pub fn problems(files: &[TextFile]) -> Vec<Problem> {
    let over = longer_than(files, MOST);
    over.map(|(path, lines)| Problem::whole(path, format!("{lines} lines, the most is {MOST}: split it")))
        .collect()
}

/// Rust files over [`SMELL`] lines, for people to look at.
#[must_use]
pub fn smells(files: &[TextFile]) -> Vec<String> {
    longer_than(files, SMELL).map(|(path, lines)| format!("{path}: {lines} lines")).collect()
}

fn longer_than(files: &[TextFile], most: usize) -> impl Iterator<Item = (&str, usize)> {
    let ours = files.iter().filter(|file| file.is_rust() && !file.is_generated());
    ours.map(|file| (file.path.as_str(), file.text.lines().count())).filter(move |(_, lines)| *lines > most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found_unless_a_program_wrote_it() {
        let long = "x\n".repeat(MOST + 1);
        let files = [
            TextFile::sample("a/src/lib.rs", &long),
            TextFile::sample("a/src/gen/wire.rs", &long),
            TextFile::sample("README.md", &long),
            TextFile::sample("a/src/ok.rs", &"x\n".repeat(MOST)),
        ];
        let found = problems(&files);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].at, "a/src/lib.rs");
        assert_eq!(smells(&files).len(), 2);
    }
}
