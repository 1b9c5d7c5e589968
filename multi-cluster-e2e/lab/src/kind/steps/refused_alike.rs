//! What is not exported to the caller's cluster does not exist there.

use anyhow::ensure;

use crate::kind::caller::Way;
use crate::kind::stage::{EAST, SOUTH, Stage, WEST, by, host, url};

/// Not existing, not exported, exported to another cluster only.
const HIDDEN: [&str; 3] = ["nosuch", "private", "reports"];

pub(in crate::kind) async fn run(stage: &Stage) -> anyhow::Result<String> {
    let lab = &stage.lab;
    for service in HIDDEN {
        let dug = lab.dig(EAST, Way::Exec, &host(service), "A").await?;
        ensure!(dug.is_nxdomain(), "{service} resolves in {EAST}: {}", dug.brief());
    }
    // Its address, which south knows, is nobody's in east.
    let allowed = lab.dig(SOUTH, Way::Exec, &host("reports"), "A").await?.addresses();
    let [address] = allowed.as_slice() else {
        anyhow::bail!("reports is for {SOUTH}, and resolves there to {allowed:?}")
    };
    for call in lab.curl(SOUTH, Way::Exec, &url("reports"), 3).await? {
        ensure!(by(&call)? == WEST, "reports was answered by {}", by(&call)?);
    }
    for call in lab.curl(EAST, Way::Exec, &format!("http://{address}/"), 1).await? {
        ensure!(call.answer.is_err(), "reports is for {SOUTH} only, and {EAST} is answered at {address}");
    }
    Ok(format!(
        "nosuch, private and reports (for {SOUTH} only) are NXDOMAIN in {EAST}; {SOUTH} is answered by reports at {address}, \
         where {EAST} finds nobody"
    ))
}
