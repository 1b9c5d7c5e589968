//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Directories that hold nothing of ours: what was built, what a lab left, what git keeps.
const SKIPPED: [&str; 5] = ["target", ".git", ".lab", ".kind", "node_modules"];

/// Endings of files that are read as text.
const TEXTS: [&str; 13] =
    ["rs", "toml", "md", "proto", "sh", "yaml", "yml", "json", "txt", "snap", "html", "py", "lock"];

/// Files without an ending that are read as text.
const NAMED: [&str; 3] = ["Makefile", "LICENSE", "run"];

/// One text file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    /// Path from the root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl TextFile {
    /// A file that exists only in a test of a rule.
    pub fn sample(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether it is Rust.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether a program wrote it: `src/gen/` of a crate.
    #[must_use]
    pub fn is_generated(&self) -> bool {
        self.path.contains("/src/gen/")
    }
}

/// The root of the repository, two directories above this crate.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// Every text file below `root`, in the order of paths.
///
/// # Errors
/// When a directory or file cannot be read.
pub fn texts(root: &Path) -> anyhow::Result<Vec<TextFile>> {
    let mut found = Vec::new();
    walk(root, root, &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn walk(root: &Path, directory: &Path, found: &mut Vec<TextFile>) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !SKIPPED.contains(&&*name) {
                walk(root, &path, found)?;
            }
        } else if kind.is_file() && is_text(&path, &name) {
            let relative = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
            let bytes = fs::read(&path).with_context(|| format!("reading {relative}"))?;
            found.push(TextFile { path: relative, text: String::from_utf8_lossy(&bytes).into_owned() });
        }
    }
    Ok(())
}

fn is_text(path: &Path, name: &str) -> bool {
    NAMED.contains(&name)
        || path.extension().is_some_and(|ending| TEXTS.iter().any(|text| ending.eq_ignore_ascii_case(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_file_is_found_and_nothing_that_was_built() {
        let files = texts(&root()).unwrap();
        assert!(files.iter().any(|file| file.path == "multi-cluster-e2e/tidy/src/repository.rs"));
        assert!(files.iter().any(|file| file.path == ".ci/run"));
        assert!(!files.iter().any(|file| file.path.starts_with("target/")));
    }
}
