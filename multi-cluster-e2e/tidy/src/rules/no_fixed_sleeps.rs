//! A test waits for a condition, never for a time.

use crate::Problem;
use crate::lexer::code_of;
use crate::repository::TextFile;
use crate::tests_in::tests_begin;

/// Files whose test code may sleep, each with its reason.
const ALLOWED: [(&str, &str); 0] = [];

/// Calls of any `sleep` in test code. A test with a paused clock may sleep: it costs no time and waits for nothing.
#[must_use]
pub fn problems(files: &[TextFile]) -> Vec<Problem> {
    let ours = files.iter().filter(|file| {
        file.is_rust() && !file.is_generated() && !ALLOWED.iter().any(|(path, _)| *path == file.path)
    });
    ours.flat_map(|file| {
        let code = code_of(&file.text);
        let begin = tests_begin(file, &code);
        let sleeps: Vec<Problem> = ["sleep(", "sleep_until("]
            .iter()
            .flat_map(|call| code.match_indices(call))
            .filter(|(at, _)| *at >= begin && is_call(&code, *at) && !clock_is_paused(&code, *at))
            .map(|(at, _)| {
                Problem::in_text(
                    &file.path,
                    &code,
                    at,
                    "a test sleeps: wait for the condition, or pause the clock",
                )
            })
            .collect();
        sleeps
    })
    .collect()
}

/// Whether the test around `at` runs with a paused clock: the last test attribute before it says so, or the clock is
/// paused between the two.
fn clock_is_paused(code: &str, at: usize) -> bool {
    let before = code.get(..at).unwrap_or_default();
    let test = ["#[tokio::test", "#[test]"].iter().filter_map(|start| before.rfind(start)).max();
    let around = test.and_then(|start| before.get(start..)).unwrap_or_default();
    around.contains("start_paused = true") || around.contains("time::pause()")
}

/// Whether a word begins at `at` that is called, not defined.
fn is_call(code: &str, at: usize) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    code.get(..at).is_some_and(|before| !before.ends_with(word) && !before.ends_with("fn "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_found_in_tests_and_only_with_a_running_clock() {
        let sleep = "tokio::time::sleep(d).await;";
        for (path, text, found) in [
            ("a/tests/all.rs", format!("#[tokio::test]\nasync fn t() {{ {sleep} }}"), 1),
            ("a/tests/all.rs", format!("#[tokio::test(start_paused = true)]\nasync fn t() {{ {sleep} }}"), 0),
            ("a/src/lib.rs", format!("async fn f() {{ {sleep} }}"), 0),
            (
                "a/src/lib.rs",
                format!("#[cfg(test)]\nmod tests {{ #[tokio::test] async fn t() {{ {sleep} }} }}"),
                1,
            ),
            (
                "a/src/tests.rs",
                format!(
                    "#[tokio::test(start_paused = true)] async fn a() {{}}\n#[tokio::test] async fn b() {{ {sleep} }}"
                ),
                1,
            ),
            ("a/tests/all.rs", "#[test]\nfn tests_do_not_sleep() { asleep() }".to_owned(), 0),
            ("multi-cluster-e2e/scenarios/src/lib.rs", "std::thread::sleep(d);".to_owned(), 1),
        ] {
            assert_eq!(problems(&[TextFile::sample(path, &text)]).len(), found, "{path}: {text}");
        }
    }
}
