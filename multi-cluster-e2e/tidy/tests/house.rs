//! The rules, applied to this repository. What each asks, and the proof that it can fail, is in `src/rules/`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use multi_cluster_e2e_tidy::Problem;
use multi_cluster_e2e_tidy::repository::{self, TextFile};
use multi_cluster_e2e_tidy::rules::{
    allows_have_reasons, crate_edges, crates_are_declared, documents_resolve, file_sizes, no_fixed_sleeps,
    no_leftovers, no_machine_paths, pure_crates, two_commands,
};
use multi_cluster_e2e_tidy::workspace::{self, Member};

fn files() -> anyhow::Result<Vec<TextFile>> {
    repository::texts(&repository::root())
}

fn members() -> anyhow::Result<Vec<Member>> {
    workspace::members(&repository::root())
}

#[track_caller]
fn none(problems: &[Problem]) {
    let list: String = problems.iter().map(|problem| format!("  {problem}\n")).collect();
    assert!(problems.is_empty(), "{} places break the rule:\n{list}", problems.len());
}

#[test]
fn crates_depend_only_downwards() {
    let members = members().unwrap();
    assert!(members.len() > 10, "the workspace was not read: {members:?}");
    none(&crate_edges::problems(&members));
}

#[test]
fn pure_crates_link_no_runtime() {
    let members = members().unwrap();
    let kit = members.iter().find(|member| member.name == "federation-kit").unwrap();
    assert!(kit.closure.contains("mio"), "far dependencies were not read");
    none(&pure_crates::linked(&members));
}

#[test]
fn pure_crates_name_no_clock_file_or_socket() {
    none(&pure_crates::named(&files().unwrap()));
}

#[test]
fn crates_have_their_path_as_name_the_lints_and_a_description() {
    none(&crates_are_declared::problems(&members().unwrap(), &files().unwrap()));
}

#[test]
fn files_are_short() {
    let files = files().unwrap();
    for smell in file_sizes::smells(&files) {
        println!("worth a look: {smell}");
    }
    none(&file_sizes::problems(&files));
}

#[test]
fn nothing_is_left_over() {
    none(&no_leftovers::problems(&files().unwrap()));
}

#[test]
fn lints_are_switched_off_with_a_reason() {
    none(&allows_have_reasons::problems(&files().unwrap()));
}

#[test]
fn tests_do_not_sleep() {
    none(&no_fixed_sleeps::problems(&files().unwrap()));
}

#[test]
fn no_path_of_a_machine_is_named() {
    none(&no_machine_paths::problems(&files().unwrap()));
}

#[test]
fn documents_point_at_what_exists() {
    let root = repository::root();
    none(&documents_resolve::problems(&files().unwrap(), |path| root.join(path).exists()));
}

#[test]
fn the_commands_and_policies_are_there() {
    none(&two_commands::problems(&files().unwrap()));
}

#[test]
fn scripts_can_be_run() {
    for script in [".ci/run", "deploy/setup/envoy.sh", "deploy/setup/tools.sh"] {
        let mode = fs::metadata(repository::root().join(script)).unwrap().permissions().mode();
        assert_ne!(mode & 0o100, 0, "{script} is not executable");
    }
}
