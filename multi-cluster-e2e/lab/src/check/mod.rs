//! The scripted tour: every promise of the lab, tried on a lab of its own, one file per step.
//!
//! A step looks at the clusterset from outside, as a client, an operator or an attacker would, and says what it saw.
//! The first step that sees something else than was promised ends the tour.

mod report;
mod stage;
mod steps;

pub use report::Report;
pub use stage::Tour;

use std::time::Instant;

use crate::binaries::Binaries;
use crate::lab::{Lab, Say};
use crate::layout::Layout;
use crate::plan::LabSpec;
use crate::ports::PortChoice;
use stage::Stage;

/// Makes the tour; `tell` hears of every step. Gives back whether all passed. Nothing is left behind.
pub async fn run(
    tour: &Tour,
    say: &Say,
    tell: impl Fn(&Report) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let envoy = Binaries::envoy().is_ok();
    let spec = LabSpec { envoy, trust: tour.trust, ports: PortChoice::Random, ..LabSpec::default() };
    let began = Instant::now();
    let lab = Lab::up(&spec, Layout::temporary()?, say).await?;
    say(&format!("a lab of its own is up after {} ms; the tour begins", began.elapsed().as_millis()));
    let stage = Stage::new(lab, tour.clone());
    let passed = steps(&stage, tell).await;
    stage.lab.down().await?;
    passed
}

async fn steps(stage: &Stage, tell: impl Fn(&Report) -> anyhow::Result<()>) -> anyhow::Result<bool> {
    for step in steps::ALL {
        let report = Report::of(step.name, (step.run)(stage).await);
        tell(&report)?;
        if !report.ok {
            return Ok(false);
        }
    }
    Ok(true)
}
