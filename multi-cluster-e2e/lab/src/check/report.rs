//! What one step saw.

use std::fmt;

use serde::Serialize;

/// One line of the tour's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The step's name.
    pub step: &'static str,
    /// Whether it saw what was promised.
    pub ok: bool,
    /// What it saw, in words, with times in milliseconds.
    pub observed: String,
}

impl Report {
    /// Of what a step gave back.
    pub(super) fn of(step: &'static str, outcome: anyhow::Result<String>) -> Self {
        match outcome {
            Ok(observed) => Self { step, ok: true, observed },
            Err(error) => Self { step, ok: false, observed: format!("{error:#}") },
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:<16} {}", if self.ok { "ok  " } else { "FAIL" }, self.step, self.observed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_fields_of_the_design_and_no_others() {
        let report = Report::of("dns", Err(anyhow::anyhow!("inner").context("outer")));
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(json, r#"{"step":"dns","ok":false,"observed":"outer: inner"}"#);
    }
}
