//! What the rules of trust domains cost: certificates issued and peers judged, each beside the libraries that do the same
//! without them, in the same run, on one thread, turn by turn.
//!
//! Reading order: [`issue`] and [`handshake`] → this.

mod handshake;
mod issue;

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::line::Line;
use crate::samples::Samples;

/// Promised: so many certificates a second on one core.
const TARGET_ISSUED: f64 = 2_000.0;
/// Promised: a handshake takes no more than so many times what it takes with the stock verifiers.
const TARGET_HANDSHAKE: f64 = 1.1;

/// Measures so many of each.
///
/// # Errors
/// When a certificate cannot be made, or a handshake fails.
pub fn measure(count: u32) -> anyhow::Result<Vec<Line>> {
    ensure!(count > 0, "-n must be at least 1");
    let issuers = issue::Issuers::new()?;
    let (signed, bare) = compare(count, || issuers.ours().map(drop), || issuers.bare())?;
    let sides = handshake::Sides::new()?;
    let (judged, stock) = compare(count, || sides.ours(), || sides.stock())?;
    Ok(vec![
        per_second("issue", &signed, &bare, "rcgen").target(TARGET_ISSUED),
        micros("handshake", &judged, &stock, "rustls").target_ratio(TARGET_HANDSHAKE),
    ])
}

/// Turn by turn, so that whatever else the machine does befalls both.
fn compare(
    count: u32,
    ours: impl Fn() -> anyhow::Result<()>,
    theirs: impl Fn() -> anyhow::Result<()>,
) -> anyhow::Result<(Samples, Samples)> {
    let timed = |what: &dyn Fn() -> anyhow::Result<()>| {
        let began = Instant::now();
        what().map(|()| began.elapsed())
    };
    let (mut first, mut second): (Vec<Duration>, Vec<Duration>) = (Vec::new(), Vec::new());
    for _ in 0..count {
        first.push(timed(&ours)?);
        second.push(timed(&theirs)?);
    }
    Ok((first.into_iter().collect(), second.into_iter().collect()))
}

fn median(samples: &Samples) -> f64 {
    samples.percentile(50).map_or(f64::NAN, |median| median.as_secs_f64())
}

fn per_second(case: &str, ours: &Samples, theirs: &Samples, peer: &str) -> Line {
    let line = Line::higher("trust", case, "rate", "1/s", 1.0 / median(ours), ours.count());
    line.against(peer, 1.0 / median(theirs))
}

fn micros(case: &str, ours: &Samples, theirs: &Samples, peer: &str) -> Line {
    let line = Line::lower("trust", case, "p50", "us", 1e6 * median(ours), ours.count());
    line.against(peer, 1e6 * median(theirs))
}
