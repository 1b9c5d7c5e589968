//! The checked-in code in `src/gen` is what the protos in `proto` give, byte for byte.
//!
//! After a change of a proto, `ISTHMUS_REGENERATE=1 cargo test -p federation-api --test generated` writes it anew.
//! There is no `build.rs`: whoever uses this crate needs neither `protoc` nor a code generator.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use protox::Compiler;

const PROTOS: [&str; 5] = [
    "isthmus/federation/v1/catalog.proto",
    "isthmus/federation/v1/federation.proto",
    "isthmus/federation/v1/admin.proto",
    "isthmus/raft/v1/raft.proto",
    "isthmus/gateway/v1/gateway.proto",
];

fn crate_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn generate(out: &Path) -> anyhow::Result<()> {
    let mut compiler = Compiler::new([crate_dir().join("proto")])?;
    // Comments of the protos become the documentation of the generated types.
    compiler.include_source_info(true).include_imports(true).open_files(PROTOS)?;
    tonic_prost_build::configure()
        .out_dir(out)
        // Equal messages must have equal encodings, which a hash map's order would break.
        .btree_map(".")
        // Shared, not copied: what is watched.
        .bytes(".isthmus.federation.v1.WatchResponse")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

fn files_in(dir: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        files.insert(entry.file_name().to_string_lossy().into_owned(), fs::read_to_string(entry.path())?);
    }
    Ok(files)
}

#[test]
fn the_checked_in_code_is_what_the_protos_give() -> anyhow::Result<()> {
    let fresh = tempfile::tempdir()?;
    generate(fresh.path())?;
    let fresh = files_in(fresh.path())?;
    let checked_in = crate_dir().join("src/gen");
    if std::env::var_os("ISTHMUS_REGENERATE").is_some() {
        for name in files_in(&checked_in)?.keys().filter(|name| !fresh.contains_key(*name)) {
            fs::remove_file(checked_in.join(name))?;
        }
        for (name, content) in &fresh {
            fs::write(checked_in.join(name), content)?;
        }
    }
    let present = files_in(&checked_in)?;
    assert_eq!(
        present.keys().collect::<Vec<_>>(),
        fresh.keys().collect::<Vec<_>>(),
        "other files; regenerate"
    );
    for (name, content) in &fresh {
        assert!(present.get(name) == Some(content), "{name} differs from its proto; regenerate");
    }
    Ok(())
}

#[test]
fn every_proto_is_compiled() -> anyhow::Result<()> {
    let root = crate_dir().join("proto");
    let mut found = Vec::new();
    let mut dirs = vec![root.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                found.push(path.strip_prefix(&root)?.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    let mut listed = PROTOS.to_vec();
    listed.sort_unstable();
    assert_eq!(found, listed);
    Ok(())
}
