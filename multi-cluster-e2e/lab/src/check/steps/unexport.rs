//! A service whose ServiceExport is removed is gone for others: by name at once, and at the gateway like a name that
//! never was.

use std::time::Instant;

use anyhow::Context;

use crate::check::stage::{EAST, SOON, Stage, WEST, outside_view};
use crate::samples::Offer;
use crate::wait::{Seen, until};

pub(in crate::check) async fn run(stage: &Stage) -> anyhow::Result<String> {
    let lab = &stage.lab;
    let client = stage.easts_gateway().await?;
    let exported = lab.sample(WEST, "echo")?;
    let began = Instant::now();
    lab.save_yaml(WEST, &exported.clone().offered(Offer::Private))?;
    stage.becomes_unknown("echo").await?;
    let unknown = began.elapsed().as_millis();

    // The name is gone for others as soon as the federation knows; west's own gateway hears of it by another way.
    let never = stage.dial_west(&client, "nosuch").await?;
    let look = || async {
        let gone = stage.dial_west(&client, "echo").await?;
        let alike = outside_view(&gone) == outside_view(&never);
        Ok(if alike { Seen::Done(gone) } else { Seen::NotYet(format!("{:?}", outside_view(&gone))) })
    };
    let what =
        format!("the gateway of {WEST} to refuse echo like an unknown name, {:?}", outside_view(&never));
    let (gone, _) = until(&what, SOON, look).await?;
    let refusal = gone.answer.err().context("echo is still let through")?;
    let refused = began.elapsed().as_millis();

    lab.save_yaml(WEST, &exported)?;
    let back = stage.becomes_callable("echo", SOON).await?;
    Ok(format!(
        "echo was NXDOMAIN in {EAST} {unknown} ms after its ServiceExport was removed, and by {refused} ms the gateway of \
         {WEST} refused it by {refusal} like an unknown name; exported again, it answered after {} ms",
        back.as_millis()
    ))
}
