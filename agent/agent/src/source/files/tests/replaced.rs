//! The ways in which editors, kubelets and scripts replace files.

use std::io::Write as _;
use std::os::unix::fs::symlink;

use super::*;

#[tokio::test]
async fn a_half_written_file_is_never_read() {
    let mut lab = Lab::new(&[("a.yaml", &format!("{}---\n{}", service("a"), service("b")))]);
    lab.services(&["a", "b"]).await;
    let history = lab.history();
    // Truncated and written slowly: each state before the end is valid YAML without `b`.
    let mut open = fs::File::create(lab.path("a.yaml")).unwrap();
    open.write_all(service("a").as_bytes()).unwrap();
    open.sync_all().unwrap();
    // Another file makes the source read in between.
    lab.write("other.yaml", service("other"));
    lab.services(&["a", "b", "other"]).await;
    open.write_all(format!("---\n{}---\n{}", service("b"), service("last")).as_bytes()).unwrap();
    drop(open);
    lab.services(&["a", "b", "last", "other"]).await;
    for names in history.await.unwrap() {
        assert!(names.iter().any(|name| name == "b"), "b was lost: {names:?}");
    }
}

#[tokio::test]
async fn a_rename_over_replaces_whole() {
    let mut lab = Lab::new(&[("a.yaml", &service("a"))]);
    lab.services(&["a"]).await;
    let history = lab.history();
    for round in ["b", "c", "last"] {
        lab.write("a.yaml.tmp", service(round));
        rename_into(&lab, &lab.path("a.yaml.tmp"), "a.yaml");
        lab.services(&[round]).await;
    }
    assert!(history.await.unwrap().iter().all(|names| names.len() == 1));
}

#[tokio::test]
async fn an_editor_that_renames_the_old_file_away_first_loses_nothing() {
    let mut lab = Lab::new(&[("a.yaml", &service("a"))]);
    lab.services(&["a"]).await;
    let history = lab.history();
    rename_into(&lab, &lab.path("a.yaml"), "a.yaml~");
    lab.write("other.yaml", service("other"));
    lab.services(&["a", "other"]).await;
    lab.write("a.yaml", format!("{}---\n{}", service("a"), service("last")));
    lab.services(&["a", "last", "other"]).await;
    assert!(history.await.unwrap().iter().all(|names| names.iter().any(|name| name == "a")));
}

#[tokio::test]
async fn a_file_that_is_renamed_out_of_sight_goes() {
    let mut lab = Lab::new(&[("a.yaml", &service("a")), ("b.yaml", &service("b"))]);
    lab.services(&["a", "b"]).await;
    let outside = lab.root.path().join("outside.yaml");
    fs::rename(lab.path("a.yaml"), outside).unwrap();
    lab.services(&["b"]).await;
}

#[tokio::test]
async fn a_config_map_is_swapped_whole() {
    let mut lab = Lab::new(&[]);
    lab.services(&[]).await;
    let swap = |version: &str, text: &str| {
        let data = lab.path(&format!("..{version}"));
        fs::create_dir(&data).unwrap();
        fs::write(data.join("a.yaml"), text).unwrap();
        symlink(format!("..{version}"), lab.path("..data_tmp")).unwrap();
        fs::rename(lab.path("..data_tmp"), lab.path("..data")).unwrap();
    };
    swap("v1", &service("one"));
    symlink("..data/a.yaml", lab.path("a.yaml")).unwrap();
    let mut states = lab.states.clone();
    states.wait_for(|state| service_names(state) == ["one"]).await.unwrap();
    swap("v2", &service("two"));
    fs::remove_dir_all(lab.path("..v1")).unwrap();
    let state = lab.services(&["two"]).await;
    assert!(state.ok(), "{:?}", state.problems);
}

#[tokio::test]
async fn a_directory_that_is_recreated_is_followed() {
    let mut lab = Lab::new(&[("a.yaml", &service("a"))]);
    lab.services(&["a"]).await;
    fs::rename(lab.directory(), lab.root.path().join("old")).unwrap();
    lab.until("a problem", |state| !state.ok() && service_names(state) == ["a"]).await;
    fs::create_dir(lab.directory()).unwrap();
    lab.write("b.yaml", service("b"));
    assert!(lab.services(&["b"]).await.ok());
    lab.write("c.yaml", service("c"));
    lab.services(&["b", "c"]).await;
}

#[tokio::test]
async fn a_burst_of_writes_ends_in_the_last_one() {
    let mut lab = Lab::new(&[]);
    for round in 0..200 {
        lab.write("a.yaml", service(&format!("s{round}")));
    }
    lab.services(&["s199"]).await;
}
