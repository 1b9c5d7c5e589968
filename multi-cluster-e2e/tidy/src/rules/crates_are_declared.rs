//! Every crate says what it is, takes the lints of the workspace, and has no lock file of its own.

use crate::Problem;
use crate::repository::TextFile;
use crate::workspace::Member;

/// Crates without `[lints] workspace = true`, without `//!` at the top of a root file, with a name that is not their
/// path, and lock files besides the one at the root.
#[must_use]
pub fn problems(members: &[Member], files: &[TextFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for member in members {
        let directory = &member.directory;
        if member.name != directory.replace('/', "-") {
            problems.push(Problem::whole(&member.name, format!("is in {directory}: name and path differ")));
        }
        let find = |name: &str| files.iter().find(|file| file.path == format!("{directory}/{name}"));
        if !find("Cargo.toml").is_some_and(|manifest| inherits_lints(&manifest.text)) {
            let what = "does not take the workspace's lints: `[lints]` `workspace = true`";
            problems.push(Problem::whole(format!("{directory}/Cargo.toml"), what));
        }
        for root in ["src/lib.rs", "src/main.rs"].into_iter().filter_map(find) {
            if !root.text.starts_with("//!") {
                problems.push(Problem::whole(&root.path, "does not open with `//!`: what the crate owns"));
            }
        }
    }
    let locks = files.iter().filter(|file| file.path.ends_with("/Cargo.lock"));
    problems
        .extend(locks.map(|lock| Problem::whole(&lock.path, "the workspace has one lock file, at the root")));
    problems
}

fn inherits_lints(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    lines
        .by_ref()
        .take_while(|line| !line.starts_with('['))
        .any(|line| line.split_whitespace().collect::<String>() == "workspace=true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_omission_is_found() {
        let member = |name: &str| Member {
            name: name.to_owned(),
            directory: "a/b".to_owned(),
            depends: [].into(),
            tests_depend: [].into(),
            closure: [].into(),
        };
        let manifest = |text| TextFile::sample("a/b/Cargo.toml", text);
        let good = "[package]\nname = \"a-b\"\n[lints]\nworkspace = true\n[dependencies]\n";
        let library = |text| TextFile::sample("a/b/src/lib.rs", text);

        assert_eq!(problems(&[member("a-b")], &[manifest(good), library("//! Owns b.")]), []);
        assert_eq!(problems(&[member("b")], &[manifest(good), library("//! Owns b.")]).len(), 1);
        assert_eq!(problems(&[member("a-b")], &[manifest(good), library("pub mod c;")]).len(), 1);
        let without = "[lints.rust]\n[dependencies]\nworkspace = true\n";
        assert_eq!(problems(&[member("a-b")], &[manifest(without), library("//! b")]).len(), 1);
        let lock = TextFile::sample("a/b/Cargo.lock", "");
        assert_eq!(problems(&[member("a-b")], &[manifest(good), library("//! b"), lock]).len(), 1);
    }
}
