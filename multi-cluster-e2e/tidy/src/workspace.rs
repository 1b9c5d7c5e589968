//! The crates of the workspace and what they depend on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use cargo_metadata::{DependencyKind, MetadataCommand, PackageId};

/// One crate of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name: the path of its directory with dashes.
    pub name: String,
    /// Directory from the root, with `/`.
    pub directory: String,
    /// Names of the crates its manifest names for the built program (normal and build dependencies).
    pub depends: BTreeSet<String>,
    /// Names of the crates it names for tests only.
    pub tests_depend: BTreeSet<String>,
    /// Names of every crate that is linked into it, near or far.
    pub closure: BTreeSet<String>,
}

/// Asks Cargo for the crates of the workspace at `root`, as they are built for Linux, without touching the lock file.
/// Crates for other platforms are left out: they need not even be downloaded.
///
/// # Errors
/// When Cargo cannot answer.
pub fn members(root: &Path) -> anyhow::Result<Vec<Member>> {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .other_options(["--locked".to_owned(), "--filter-platform".to_owned(), platform])
        .exec()
        .context("cargo metadata")?;
    let resolve = metadata.resolve.as_ref().context("cargo metadata gave no resolve")?;
    let names: BTreeMap<&PackageId, &str> =
        metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let normal: BTreeMap<&PackageId, Vec<&PackageId>> = resolve
        .nodes
        .iter()
        .map(|node| {
            let linked = node.deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
            });
            (&node.id, linked.map(|dependency| &dependency.pkg).collect())
        })
        .collect();

    let member = |package: &&cargo_metadata::Package| {
        let named = |test: bool| {
            let of_kind =
                move |d: &&cargo_metadata::Dependency| (d.kind == DependencyKind::Development) == test;
            package.dependencies.iter().filter(of_kind).map(|dependency| dependency.name.clone()).collect()
        };
        let directory = package.manifest_path.parent()?.strip_prefix(root).ok()?;
        Some(Member {
            name: package.name.to_string(),
            directory: directory.as_str().to_owned(),
            depends: named(false),
            tests_depend: named(true),
            closure: closure(&package.id, &normal)
                .into_iter()
                .filter_map(|id| names.get(id))
                .map(|name| (*name).to_owned())
                .collect(),
        })
    };
    let packages = metadata.workspace_packages();
    let members: Option<Vec<Member>> = packages.iter().map(member).collect();
    members.context("a crate of the workspace is outside of its root")
}

/// Everything reached from `start`, without `start`.
fn closure<'a>(
    start: &'a PackageId,
    edges: &BTreeMap<&'a PackageId, Vec<&'a PackageId>>,
) -> BTreeSet<&'a PackageId> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        let next = edges.get(at).into_iter().flatten().copied();
        open.extend(next.filter(|id| reached.insert(*id)));
    }
    reached
}
