//! Which part of a Rust file is test code.

use crate::repository::TextFile;

/// Offset in `code` (without comments and strings) at which the test code of the file begins; the length of the code
/// if it has none. Test code is a whole file below `tests/` or `benches/`, a `tests.rs`, every file of the scenarios,
/// or, in other files, what follows `#[cfg(test)] mod name {`: by house style a file ends with its tests.
#[must_use]
pub fn tests_begin(file: &TextFile, code: &str) -> usize {
    let path = file.path.as_str();
    let whole = path.contains("/tests/")
        || path.contains("/benches/")
        || path.ends_with("/tests.rs")
        || path.starts_with("multi-cluster-e2e/scenarios/");
    if whole { 0 } else { inline_tests(code).unwrap_or(code.len()) }
}

/// A module with a body behind `#[cfg(test)]`; `mod tests;` names another file.
fn inline_tests(code: &str) -> Option<usize> {
    const GATE: &str = "#[cfg(test)]";
    code.match_indices(GATE).map(|(at, _)| at).find(|at| {
        let behind = code.get(at + GATE.len()..).unwrap_or_default().trim_start();
        let head = behind.split(['{', ';']).next().unwrap_or_default();
        let opens = behind.get(head.len()..).is_some_and(|rest| rest.starts_with('{'));
        opens && head.split_whitespace().any(|word| word == "mod")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_code_is_told_from_the_rest() {
        let begin = |path: &str, code: &str| tests_begin(&TextFile::sample(path, code), code);
        let code = "fn a() {}\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod more {\n}\n";
        assert_eq!(begin("a/src/lib.rs", code), code.rfind("#[cfg").unwrap());
        assert_eq!(begin("a/src/lib.rs", "#[cfg(test)]\nmod tests;"), "#[cfg(test)]\nmod tests;".len());
        assert_eq!(begin("a/src/x/tests.rs", code), 0);
        assert_eq!(begin("a/tests/all.rs", code), 0);
    }
}
