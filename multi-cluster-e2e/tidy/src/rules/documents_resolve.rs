//! What a document points at exists.

use crate::Problem;
use crate::repository::TextFile;

/// Endings of paths in backticks that are checked.
const CHECKED: [&str; 7] = [".rs", ".proto", ".toml", ".sh", ".md", ".yaml", ".yml"];

/// Documents: `README.md` at the root, and everything below `docs/`.
fn is_document(path: &str) -> bool {
    path == "README.md" || (path.starts_with("docs/") && path.ends_with(".md"))
}

/// Relative links, and file paths in backticks, that lead nowhere. `exists` is asked about paths from the root. Code
/// blocks are not looked at: what they name may be made by the commands they show.
#[must_use]
pub fn problems(files: &[TextFile], exists: impl Fn(&str) -> bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| is_document(&file.path)) {
        let directory = file.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        for (number, line) in prose(&file.text) {
            let dead_links = links(line)
                .filter(|target| !joined(directory, target).is_some_and(|path| exists(&path)))
                .map(|target| format!("the link to {target} leads nowhere"));
            let dead_paths = paths_in_backticks(line)
                .filter(|path| {
                    !exists(path) && !joined(directory, path).is_some_and(|beside| exists(&beside))
                })
                .map(|path| format!("`{path}` does not exist"));
            problems.extend(dead_links.chain(dead_paths).map(|what| Problem {
                at: file.path.clone(),
                line: Some(number),
                what,
            }));
        }
    }
    problems
}

/// Lines with their numbers, without those inside fenced code blocks.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

/// Targets of relative links in a line, without their anchors. `[text](target)` and `[name]: target`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let named = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target);
    inline.chain(named).filter_map(|target| {
        let target = target.split_whitespace().next()?.split('#').next()?;
        let elsewhere = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
        (!elsewhere).then_some(target)
    })
}

/// File paths among the code spans of a line; a line number or an item behind the path is cut off.
fn paths_in_backticks(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2).filter_map(|span| {
        let path = span.split(':').next()?.trim_end_matches('/');
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
        let ours = path.contains('/') && !path.starts_with(['/', '.']) && path.chars().all(plain);
        (ours && CHECKED.iter().any(|ending| path.ends_with(ending))).then_some(path)
    })
}

/// `target` seen from `directory`, as a path from the root; `None` when it leaves the repository.
fn joined(directory: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    if target.starts_with('/') {
        return None;
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let exists = |path: &str| ["docs", "docs/STYLE.md", "a/src/lib.rs", "README.md"].contains(&path);
        problems(&[TextFile::sample(path, text)], exists).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn dead_links_are_found() {
        assert_eq!(
            found("docs/A.md", "[ok](STYLE.md#top) [up](../README.md)\n[no](NOPE.md) [out](../../x.md)"),
            [
                "docs/A.md:2: the link to NOPE.md leads nowhere",
                "docs/A.md:2: the link to ../../x.md leads nowhere"
            ]
        );
        assert_eq!(
            found("README.md", "[web](https://example.org/a.md) [here](#try-it) [docs](docs/)"),
            [""; 0]
        );
        assert_eq!(found("README.md", "[style]: docs/STYL.md").len(), 1);
    }

    #[test]
    fn dead_paths_are_found_outside_of_code_blocks() {
        assert_eq!(
            found(
                "docs/A.md",
                "`a/src/lib.rs`, `a/src/lib.rs:12`, `a/src/gone.rs::Type`, `x/*.rs`, `Cargo.toml`"
            ),
            ["docs/A.md:1: `a/src/gone.rs` does not exist"]
        );
        assert_eq!(found("docs/A.md", "```\n`a/src/gone.rs`\n```\n"), [""; 0]);
        assert_eq!(found("agent/NOTES.md", "`a/src/gone.rs`"), [""; 0]);
    }
}
