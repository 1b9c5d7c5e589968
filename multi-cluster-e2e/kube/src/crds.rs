//! Installing CustomResourceDefinitions, and taking them away.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use multi_cluster_e2e_lab::wait::{Seen, until};
use serde_json::Value;

use crate::objects::{Kind, Objects};

/// How long the API server may take to serve what it has accepted.
const SERVED: Duration = Duration::from_secs(30);

/// The CRDs of this repository: MCS-API and About API.
///
/// # Errors
/// When there are none.
pub fn ours() -> anyhow::Result<Vec<PathBuf>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/crds");
    let listing =
        std::fs::read_dir(&dir).with_context(|| format!("there are no CRDs in {}", dir.display()))?;
    let mut found = Vec::new();
    for entry in listing {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    ensure!(!found.is_empty(), "there are no CRDs in {}", dir.display());
    Ok(found)
}

/// One CRD as JSON.
///
/// # Errors
/// When the file cannot be read or is not one YAML document.
pub fn read(path: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_saphyr::from_str(&text).with_context(|| format!("{} is not one document of YAML", path.display()))
}

/// Installs the CRDs in `files` and waits until they are served.
pub(crate) async fn install(objects: &Objects, files: &[PathBuf]) -> anyhow::Result<()> {
    for path in files {
        install_one(objects, read(path)?).await.with_context(|| format!("installing {}", path.display()))?;
    }
    Ok(())
}

/// Installs one CRD, which may have been changed since it was read, and waits until it is served.
///
/// # Errors
/// When it is refused or not served in time.
pub async fn install_one(objects: &Objects, crd: Value) -> anyhow::Result<()> {
    let name =
        crd.pointer("/metadata/name").and_then(Value::as_str).context("a CRD without a name")?.to_owned();
    objects.apply(crd).await?;
    let look = || async {
        let found = objects.get(Kind::CRD, "", &name).await?.unwrap_or_default();
        let conditions =
            found.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
        let established = conditions.iter().any(|condition| {
            let is = |key: &str, value: &str| condition.get(key).and_then(Value::as_str) == Some(value);
            is("type", "Established") && is("status", "True")
        });
        Ok(if established { Seen::Done(()) } else { Seen::NotYet(format!("conditions {conditions:?}")) })
    };
    until(&format!("{name} to be established"), SERVED, look).await.map(drop)
}
