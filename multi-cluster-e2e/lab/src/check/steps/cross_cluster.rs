//! A request from one cluster is answered by a pod of another.

use anyhow::ensure;

use crate::check::stage::{EAST, Stage, WEST, url};

pub(in crate::check) async fn run(stage: &Stage) -> anyhow::Result<String> {
    let answer = stage.call("echo").await?;
    let backend = answer.backend()?;
    ensure!(
        backend.cluster == WEST && backend.service == "echo",
        "answered by {} of {}",
        backend.pod,
        backend.cluster
    );
    ensure!(backend.path == "/tour", "the path arrived as {}", backend.path);
    Ok(format!(
        "{} from {EAST}, dialled at {}, was answered by pod {} of {} in {} ms",
        url("echo"),
        answer.dialled,
        backend.pod,
        backend.cluster,
        answer.micros / 1000
    ))
}
