//! A lint is switched off only with a reason that stands beside it.

use crate::Problem;
use crate::lexer::code_of;
use crate::repository::TextFile;

/// `#[allow(..)]` and `#[expect(..)]` (also inner ones, also of rustc's own lints) without `reason = ".."`.
#[must_use]
pub fn problems(files: &[TextFile]) -> Vec<Problem> {
    let ours = files.iter().filter(|file| file.is_rust() && !file.is_generated());
    ours.flat_map(|file| {
        let code = code_of(&file.text);
        let bare: Vec<Problem> = attributes(&code)
            .filter(|(_, attribute)| {
                let switches = ["allow(", "expect("].iter().any(|word| has_call(attribute, word));
                switches && !attribute.split_whitespace().collect::<String>().contains("reason=")
            })
            .map(|(at, _)| {
                Problem::in_text(&file.path, &code, at, "a lint is switched off without `reason = \"..\"`")
            })
            .collect();
        bare
    })
    .collect()
}

/// Every attribute of the code with its offset: `#[..]` or `#![..]`, brackets balanced.
fn attributes(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.match_indices('#').filter_map(|(at, _)| {
        let rest = code.get(at..)?;
        let open = if rest.starts_with("#![") { 3 } else { 2 };
        if !rest.starts_with("#[") && !rest.starts_with("#![") {
            return None;
        }
        let mut depth = 1_usize;
        for (offset, c) in rest.char_indices().skip(open) {
            match c {
                '[' => depth += 1,
                ']' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return rest.get(..=offset).map(|attribute| (at, attribute));
            }
        }
        None
    })
}

fn has_call(attribute: &str, word: &str) -> bool {
    attribute
        .match_indices(word)
        .any(|(at, _)| attribute.get(..at).is_some_and(|before| before.trim_end().ends_with(['[', '(', ','])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lint_switched_off_needs_its_reason() {
        for (text, found) in [
            ("#[allow(clippy::too_many_arguments)]\nfn f() {}", 1),
            ("#![expect(dead_code)]", 1),
            ("#[cfg_attr(test, allow(dead_code))]", 1),
            ("#[allow(\n    clippy::large_enum_variant,\n    reason = \"one per process\"\n)]", 0),
            ("// #[allow(clippy::all)]\nlet s = \"#[allow(dead_code)]\";", 0),
            ("#[derive(Debug)] #[serde(default)]", 0),
        ] {
            assert_eq!(problems(&[TextFile::sample("a/src/a.rs", text)]).len(), found, "{text}");
        }
    }
}
