//! How fast three servers agree, beside three etcd on the same disk in the same run.
//!
//! Each writer has a connection of its own to one of the three, and one write under way: a value of its own, of so many
//! bytes, again and again. A write counts when it is acknowledged: with us that is an export that is committed, by the
//! protocol that agents speak and over mTLS; with etcd a `Put`, over plain TCP. Both write to disk before they answer,
//! in the way that each comes with.
//!
//! Then one writes, and many watch: a value is through when the last of them has it, and the next is written then. At last one
//! of our followers is killed while some write to the other two.
//!
//! Reading order: [`load`] and [`fanout`] → [`member`], [`ours`] and [`etcd`] → this.

mod etcd;
mod fanout;
mod load;
mod member;
mod ours;

use std::time::Duration;

use anyhow::ensure;

use self::fanout::FanOut;
use self::load::Load;
use crate::line::Line;
use crate::samples::{Samples, millis};

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many write at once, case by case.
    pub writers: Vec<usize>,
    /// Bytes of each value.
    pub bytes: usize,
    /// How many watch one writer; none: not measured.
    pub watchers: usize,
    /// How long each case is measured.
    pub time: Duration,
}

/// The measurements of one of the two.
struct Measured {
    /// One for each number of writers.
    loads: Vec<Load>,
    fan_out: Option<FanOut>,
    loss: Option<Loss>,
}

/// What writers see of a follower's death.
struct Loss {
    writers: usize,
    /// All is well.
    before: Samples,
    /// A follower is killed, and stays down.
    after: Samples,
}

/// Promised, as ratios: at least as many writes a second, and none slower, from so many writers on.
const TARGET: f64 = 1.0;
const TARGET_FROM: usize = 16;

/// Promised: no write takes more than so many times the p99 of those before, when a follower dies.
const TARGET_LOSS: f64 = 2.0;

/// Measures all cases, first with us, then with etcd.
///
/// # Errors
/// When it could not measure: a program is missing, or a write was refused.
pub async fn measure(options: &Options) -> anyhow::Result<Vec<Line>> {
    ensure!(options.writers.iter().all(|count| *count > 0), "--writers must be at least 1");
    let ours = ours::measure(options).await?;
    let theirs = etcd::measure(options).await?;
    let cases = options.writers.iter().zip(ours.loads.iter().zip(&theirs.loads));
    let mut lines: Vec<Line> =
        cases.flat_map(|(writers, (ours, theirs))| load_lines(*writers, ours, theirs)).collect();
    if let (Some(ours), Some(theirs)) = (&ours.fan_out, &theirs.fan_out) {
        lines.extend(fan_out_lines(options.watchers, ours, theirs));
    }
    lines.extend(ours.loss.iter().flat_map(loss_lines));
    Ok(lines)
}

fn fan_out_lines(watchers: usize, ours: &FanOut, theirs: &FanOut) -> Vec<Line> {
    let line = |metric, percent, ours: &Samples, theirs: &Samples| {
        let of = |samples: &Samples| samples.percentile(percent).map_or(f64::NAN, millis);
        Line::lower("raft", format!("{watchers} watchers"), metric, "ms", of(ours), ours.count())
            .against("etcd", of(theirs))
    };
    vec![
        line("seen p50", 50, &ours.each, &theirs.each),
        line("seen p99", 99, &ours.each, &theirs.each),
        line("seen by all p50", 50, &ours.last, &theirs.last),
        line("seen by all p99", 99, &ours.last, &theirs.last),
    ]
}

fn loss_lines(loss: &Loss) -> [Line; 3] {
    let case = format!("{} writers", loss.writers);
    let of = |samples: &Samples, percent| samples.percentile(percent).map_or(f64::NAN, millis);
    let (before, slowest) = (of(&loss.before, 99), of(&loss.after, 100));
    let line = |metric, figure, count| {
        Line::lower("raft", format!("{case}, a follower dies"), metric, "ms", figure, count)
    };
    [
        line("p99 before", before, loss.before.count()),
        line("max before", of(&loss.before, 100), loss.before.count()),
        line("max after", slowest, loss.after.count()).target(TARGET_LOSS * before),
    ]
}

fn load_lines(writers: usize, ours: &Load, theirs: &Load) -> Vec<Line> {
    let case = format!("{writers} writers");
    let promised = |line: Line| if writers >= TARGET_FROM { line.target_ratio(TARGET) } else { line };
    let count = ours.samples.count();
    let rate = Line::higher("raft", case.clone(), "writes", "1/s", ours.rate(), count);
    let latency = |metric, percent| {
        let of = |load: &Load| load.samples.percentile(percent).map_or(f64::NAN, millis);
        Line::lower("raft", case.clone(), metric, "ms", of(ours), count).against("etcd", of(theirs))
    };
    vec![promised(rate.against("etcd", theirs.rate())), latency("p50", 50), promised(latency("p99", 99))]
}
