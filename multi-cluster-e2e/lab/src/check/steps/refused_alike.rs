//! What is not exported to the caller is refused like what does not exist: in DNS and at the gateway.

use anyhow::{Context, ensure};

use crate::check::stage::{EAST, SOON, SOUTH, Stage, WEST, host, outside_view, sni};
use crate::wait::{Seen, until};

/// Not existing, not exported, exported to another cluster only.
const HIDDEN: [&str; 3] = ["nosuch", "private", "reports"];

pub(in crate::check) async fn run(stage: &Stage) -> anyhow::Result<String> {
    let lab = &stage.lab;
    for service in HIDDEN {
        let answer = lab.dig(EAST, &host(service), "A").await?;
        ensure!(answer.is_nxdomain(), "{service} resolves in {EAST}: {}", answer.brief());
    }
    let allowed = lab.dig(SOUTH, &host("reports"), "A").await?;
    ensure!(
        !allowed.addresses().is_empty(),
        "reports is for {SOUTH}, but does not resolve there: {}",
        allowed.brief()
    );

    let client = stage.easts_gateway().await?;
    let open = stage.dial_west(&client, "echo").await?;
    let works = open.answer.as_ref().is_ok_and(|text| text.starts_with("HTTP/1.1 200"));
    ensure!(works, "the client itself is wrong: echo, which is exported, is answered {:?}", open.answer);

    let before = stage.refused_by_west().await?;
    let mut seen = Vec::new();
    for service in HIDDEN {
        let one = stage.dial_west(&client, service).await?;
        ensure!(one.answer.is_err(), "{} is answered: {:?}", sni(service), one.answer);
        seen.push(one);
    }
    let first = seen.first().context("nothing was tried")?;
    for (service, one) in HIDDEN.iter().zip(&seen) {
        ensure!(
            outside_view(one) == outside_view(first),
            "{service} is refused otherwise than a name that does not exist: {:?} and {:?}",
            outside_view(one),
            outside_view(first)
        );
    }
    // A refusal is counted once its connection is over, which its caller may know first.
    let look = || async {
        let counted = stage.refused_by_west().await? - before;
        Ok(if counted >= 3.0 { Seen::Done(counted) } else { Seen::NotYet(format!("{counted}")) })
    };
    let (counted, _) = until(&format!("the gateway of {WEST} to count 3 refusals"), SOON, look).await?;
    let refusal = first.answer.as_ref().err().context("it was not refused")?;
    let records: Vec<String> = first.records.iter().map(|(kind, _)| kind.to_string()).collect();
    Ok(format!(
        "nosuch, private and reports (for {SOUTH} only) are NXDOMAIN in {EAST}; the gateway of {WEST} refuses each by \
         {refusal} after TLS records {}, and counted {counted}; echo is let through",
        records.join(",")
    ))
}
