//! The scripts in `deploy/setup`: what they say when something is missing, and that a second run does nothing.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::Context;
use multi_cluster_e2e_kube::binaries::Binaries;

fn script(name: &str) -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/setup").join(name))
}

fn ended(output: &Output) -> (Option<i32>, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

/// A directory of programs for `PATH` that has what the scripts use, but neither Go nor Docker.
fn bare_path(dir: &Path) -> anyhow::Result<PathBuf> {
    let path = dir.join("bin");
    std::fs::create_dir(&path)?;
    let searched = std::env::var_os("PATH").context("no PATH")?;
    for name in [
        "sh",
        "awk",
        "cat",
        "cut",
        "dirname",
        "flock",
        "head",
        "id",
        "mkdir",
        "mktemp",
        "rm",
        "sed",
        "sha256sum",
        "sort",
    ] {
        let found = std::env::split_paths(&searched).map(|dir| dir.join(name)).find(|path| path.is_file());
        symlink(found.with_context(|| format!("{name} is not on PATH"))?, path.join(name))?;
    }
    Ok(path)
}

#[test]
fn without_go_the_script_says_which_go_and_where_from() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let output = script("kubernetes.sh")
        .env("PATH", bare_path(dir.path())?)
        .env("ISTHMUS_CACHE", dir.path().join("cache"))
        .output()?;
    let (code, said) = ended(&output);
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains("install Go 1.") && said.contains("https://go.dev/dl"), "{said}");
    Ok(())
}

#[test]
fn what_is_built_is_not_built_again() -> anyhow::Result<()> {
    let built = Binaries::find()?.program("etcd");
    let dir = tempfile::tempdir()?;
    // Without Go nothing could be built, so whoever succeeds has built nothing.
    let output = script("kubernetes.sh").env("PATH", bare_path(dir.path())?).output()?;
    let (code, said) = ended(&output);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(Path::new(said.trim()), built.parent().context("no directory")?);
    Ok(())
}

#[test]
fn an_engine_that_was_named_and_does_not_answer_is_named() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (host, cache) = ("unix:///nowhere/docker.sock", dir.path().join("cache"));
    let output = script("engine.sh").env("DOCKER_HOST", host).env("ISTHMUS_CACHE", cache).output()?;
    let (code, said) = ended(&output);
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains(host), "{said}");
    Ok(())
}

#[test]
fn ending_an_engine_that_was_never_started_is_no_error() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let output = script("engine.sh").arg("--stop").env("ISTHMUS_CACHE", dir.path()).output()?;
    assert_eq!(ended(&output), (Some(0), String::new()));
    Ok(())
}

#[test]
fn arguments_that_make_no_sense_are_refused_before_anything_is_done() -> anyhow::Result<()> {
    for (name, args) in [
        ("kubernetes.sh", vec!["--everything"]),
        ("kubernetes.sh", vec!["kube-nonsense"]),
        ("engine.sh", vec!["--begin"]),
        ("node-image.sh", vec!["--build"]),
        ("kind-cluster.sh", vec!["up", "east", "1"]),
        ("kind-cluster.sh", vec!["up", "East", "1", "/dev/null"]),
        ("kind-cluster.sh", vec!["up", "east", "16", "/dev/null"]),
    ] {
        let (code, said) = ended(&script(name).args(&args).output()?);
        assert_eq!(code, Some(64), "{name} {args:?}: {said}");
    }
    Ok(())
}
