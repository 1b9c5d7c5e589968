//! One figure of a benchmark: the line format of every `isthmus-bench` (docs: design, section 10).

use std::fmt::Write;

use serde::Serialize;

/// One figure. The fields and their names are a promise to programs that read them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Which benchmark.
    pub bench: &'static str,
    /// Which part of it.
    pub case: String,
    /// What was measured.
    pub metric: &'static str,
    /// In what.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Better,
    /// Our figure.
    pub ours: f64,
    /// Against whom, if anybody.
    pub peer: Option<String>,
    /// Their figure.
    pub theirs: Option<f64>,
    /// Ours divided by theirs.
    pub ratio: Option<f64>,
    /// How many measurements are behind it.
    pub samples: u64,
    /// What was promised, if anything.
    pub target: Option<f64>,
    /// Whether the promise was kept.
    pub met: Option<bool>,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Less is better.
    Lower,
    /// More is better.
    Higher,
}

impl Line {
    /// A figure of ours without a peer, where less is better.
    pub fn lower(
        bench: &'static str,
        case: impl Into<String>,
        metric: &'static str,
        unit: &'static str,
        ours: f64,
        samples: u64,
    ) -> Self {
        let case = case.into();
        let (peer, theirs, ratio, target, met) = (None, None, None, None, None);
        Self {
            bench,
            case,
            metric,
            unit,
            better: Better::Lower,
            ours,
            peer,
            theirs,
            ratio,
            samples,
            target,
            met,
        }
    }

    /// The same, where more is better.
    pub fn higher(
        bench: &'static str,
        case: impl Into<String>,
        metric: &'static str,
        unit: &'static str,
        ours: f64,
        samples: u64,
    ) -> Self {
        Self { better: Better::Higher, ..Self::lower(bench, case, metric, unit, ours, samples) }
    }

    /// The same, with what was promised of its ratio to the peer.
    #[must_use]
    pub fn target_ratio(mut self, target: f64) -> Self {
        self.target = Some(target);
        self.met = self.ratio.map(|ratio| match self.better {
            Better::Lower => ratio <= target,
            Better::Higher => ratio >= target,
        });
        self
    }

    /// The same, beside the same figure of somebody else, from the same run.
    #[must_use]
    pub fn against(mut self, peer: impl Into<String>, theirs: f64) -> Self {
        self.ratio = Some(self.ours / theirs);
        (self.peer, self.theirs) = (Some(peer.into()), Some(theirs));
        self
    }

    /// The same, with what was promised.
    #[must_use]
    pub fn target(mut self, target: f64) -> Self {
        self.target = Some(target);
        self.met = Some(match self.better {
            Better::Lower => self.ours <= target,
            Better::Higher => self.ours >= target,
        });
        self
    }
}

/// All lines as a table.
pub fn table(lines: &[Line]) -> String {
    let mut out = format!(
        "{:<22} {:<18} {:<10} {:>12} {:<6} {:>8}  {:<16} {}\n",
        "BENCH", "CASE", "METRIC", "OURS", "UNIT", "SAMPLES", "TARGET", "PEER"
    );
    for line in lines {
        let target = match (line.target, line.met) {
            (Some(target), Some(true)) => format!("{target}: met"),
            (Some(target), _) => format!("{target}: MISSED"),
            (None, _) => "-".to_owned(),
        };
        let peer = match (&line.peer, line.theirs, line.ratio) {
            (Some(peer), Some(theirs), Some(ratio)) => format!("{ratio:.2} of {peer}'s {theirs:.3}"),
            _ => "-".to_owned(),
        };
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            out,
            "{:<22} {:<18} {:<10} {:>12.3} {:<6} {:>8}  {target:<16} {peer}",
            line.bench, line.case, line.metric, line.ours, line.unit, line.samples
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_designs() {
        let line = Line::lower("propagation", "gateway", "p99", "ms", 12.5, 100).target(100.0);
        let json = serde_json::to_string(&line).unwrap();
        assert_eq!(
            json,
            r#"{"bench":"propagation","case":"gateway","metric":"p99","unit":"ms","better":"lower","ours":12.5,"peer":null,"theirs":null,"ratio":null,"samples":100,"target":100.0,"met":true}"#
        );
    }

    #[test]
    fn a_peer_stands_beside_with_the_ratio() {
        let line = Line::lower("propagation", "endpoint", "p50", "ms", 5.0, 1).against("other", 10.0);
        assert_eq!(line.ratio, Some(0.5));
        assert!(table(&[line]).contains("0.50 of other's 10.000"));
    }

    #[test]
    fn a_missed_target_is_said_to_be_missed() {
        let line = Line::lower("idle", "all", "cpu", "%", 7.0, 1).target(3.0);
        assert_eq!(line.met, Some(false));
        assert!(table(&[line]).contains("3: MISSED"));
    }
}
