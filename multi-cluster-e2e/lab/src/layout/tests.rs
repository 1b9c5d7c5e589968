use std::os::unix::fs::PermissionsExt;

use super::*;

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn the_directory_is_private() {
    let dir = scratch();
    let layout = Layout::create(&dir.path().join("lab"), Keep::Yes).unwrap();
    let mode = fs::metadata(layout.root()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_directory_of_somebody_else_is_refused_and_untouched() {
    let dir = scratch();
    fs::write(dir.path().join("thesis.tex"), "x").unwrap();
    let refusal = Layout::create(dir.path(), Keep::Yes).unwrap_err().to_string();
    assert!(refusal.contains("holds no lab"), "{refusal}");
    assert!(dir.path().join("thesis.tex").exists());
}

#[test]
fn an_earlier_labs_yaml_is_kept_and_the_rest_is_not() {
    let dir = scratch();
    let layout = Layout::create(dir.path(), Keep::Yes).unwrap();
    make_private(&layout.manifests("east")).unwrap();
    make_private(&layout.ca()).unwrap();
    fs::write(layout.manifests("east").join("mine.yaml"), "kind: Service").unwrap();
    fs::write(layout.cluster("east").join("agent.toml"), "").unwrap();
    fs::write(Layout::state_file(dir.path()), "{}").unwrap();

    let again = Layout::create(dir.path(), Keep::Yes).unwrap();
    assert!(again.manifests("east").join("mine.yaml").exists());
    assert!(!again.cluster("east").join("agent.toml").exists());
    assert!(!again.ca().exists());
}

#[test]
fn sockets_fit_however_long_the_directory_is() {
    let dir = scratch();
    let long = dir.path().join("x".repeat(120)).join("y".repeat(60));
    let layout = Layout::create(&long, Keep::No).unwrap();
    let socket = layout.agent_socket(&"c".repeat(63));
    assert!(socket.as_os_str().len() <= MAX_SOCKET_PATH, "{}", socket.display());
    for path in layout.removed_at_end() {
        remove_all(&path).unwrap();
    }
}
