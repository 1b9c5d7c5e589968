//! The binary itself: what it says, and with which code it ends, when it cannot start.
#![allow(clippy::unwrap_used, reason = "a failed helper is a failed test")]

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use federation_trust::{Authority, Lifetime};

/// Writes a configuration that would start, changed by `change`, and runs the binary with it.
fn run(dir: &Path, extra: &[&str], change: impl FnOnce(String) -> String) -> (i32, String) {
    let authority = Authority::create(
        &"lab".parse().unwrap(),
        Lifetime::starting_at(SystemTime::now(), Duration::from_secs(600)),
    )
    .unwrap();
    std::fs::write(dir.join("ca.pem"), authority.cert_pem()).unwrap();
    std::fs::write(dir.join("ca.key"), authority.key_pem().as_bytes()).unwrap();
    let path = |name: &str| dir.join(name).display().to_string();
    let text = format!(
        "id = 1\nclusterset = \"lab\"\ndata_dir = \"{}\"\napi_listen = \"127.0.0.1:0\"\n\
         raft_listen = \"127.0.0.1:0\"\nhttp_listen = \"127.0.0.1:0\"\nca = {{ cert = \"{}\", key = \"{}\" }}\n\
         members = [{{ id = 1, api = \"127.0.0.1:1\", raft = \"127.0.0.1:1\" }}]\n",
        path("data"),
        path("ca.pem"),
        path("ca.key"),
    );
    std::fs::write(dir.join("server.toml"), change(text)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_isthmus-server"))
        .arg("--config")
        .arg(dir.join("server.toml"))
        .args(extra)
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn wrong_configurations_end_with_64_and_name_the_place() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&str, &str, &str); 4] = [
        ("data_dir", "datadir", "server.toml:3:1: `datadir`"),
        ("id = 1\nclu", "id = 2\nclu", "this server, 2, is not listed"),
        ("clusterset = \"lab\"", "clusterset = \"prod\"", "an authority of prod has spiffe://prod"),
        ("ca.key\"", "ca.pem\"", "private key"),
    ];
    for (from, to, expected) in cases {
        let (code, said) = run(dir.path(), &[], |text| text.replacen(from, to, 1));
        assert_eq!(code, 64, "{to}: {said}");
        assert!(said.contains(expected), "{to}: {said}");
    }
    assert_eq!(run(dir.path(), &["--check-config"], |text| text).0, 0);
}

#[test]
fn a_taken_port_ends_with_69() {
    let dir = tempfile::tempdir().unwrap();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap().to_string();
    for key in ["api_listen", "raft_listen", "http_listen"] {
        let taken = |text: String| {
            text.replace(&format!("{key} = \"127.0.0.1:0\""), &format!("{key} = \"{address}\""))
        };
        let (code, said) = run(dir.path(), &[], taken);
        assert_eq!(code, 69, "{key}: {said}");
        assert!(said.contains(&address), "{key}: {said}");
    }
}

#[test]
fn a_data_directory_that_is_not_ours_ends_with_74_and_is_left_alone() {
    let cases = [
        ("format 1\nclusterset prod\nserver 1\n", "belongs to server 1 of clusterset prod"),
        ("format 1\nclusterset lab\nserver 2\n", "belongs to server 2 of clusterset lab"),
        ("format 7\n", "has format 7"),
        ("format 1\nclusterset lab\nserver 1\n", "has lost its log"),
    ];
    for (marker, expected) in cases {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("isthmus-server"), marker).unwrap();
        let (code, said) = run(dir.path(), &[], |text| text);
        assert_eq!(code, 74, "{marker}: {said}");
        assert!(said.contains(expected), "{marker}: {said}");
        assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1);
    }
}
