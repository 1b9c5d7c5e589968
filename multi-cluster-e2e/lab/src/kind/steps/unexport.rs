//! A service whose ServiceExport is deleted is gone for others, by name and by address; exported again, it has the address
//! that it had.

use std::time::Instant;

use anyhow::ensure;

use crate::kind::caller::Way;
use crate::kind::stage::{EAST, SOON, Stage};
use crate::wait::{Seen, until};

pub(in crate::kind) async fn run(stage: &Stage) -> anyhow::Result<String> {
    let address = stage.address("echo").await?;
    let began = Instant::now();
    stage.unexport("echo").await?;
    let gone = unexported(stage, &address, began).await;
    // Whatever was seen, the lab is left as it was.
    stage.export("echo").await?;
    let (unknown, refused) = gone?;
    let back = stage.becomes_callable("echo").await?;
    let again = stage.address("echo").await?;
    ensure!(again == address, "echo was {address} and is {again}");
    Ok(format!(
        "echo was NXDOMAIN in {EAST} {unknown} ms after its ServiceExport was deleted, and by {refused} ms {address} answered \
         nobody; exported again, it answered at {address} after {} ms",
        back.as_millis()
    ))
}

async fn unexported(stage: &Stage, address: &str, began: Instant) -> anyhow::Result<(u128, u128)> {
    stage.becomes_unknown("echo").await?;
    let unknown = began.elapsed().as_millis();
    let url = format!("http://{address}/");
    let look = || async {
        let calls = stage.lab.curl(EAST, Way::Exec, &url, 1).await?;
        let answered = calls.iter().any(|call| call.answer.is_ok());
        Ok(if answered { Seen::NotYet("an answer".to_owned()) } else { Seen::Done(()) })
    };
    until(&format!("nobody to answer at {address}"), SOON, look).await?;
    Ok((unknown, began.elapsed().as_millis()))
}
