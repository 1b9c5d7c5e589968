//! What was found, step by step, as it is found.

use serde_json::json;

use super::Output;

/// Prints each step at once, and remembers whether all were well.
#[derive(Debug)]
pub(super) struct Report {
    output: Output,
    well: bool,
}

impl Report {
    pub(super) fn new(output: Output) -> Self {
        Self { output, well: true }
    }

    /// One step. `observed` says what was seen, and what to do where it is not well.
    pub(super) fn step(&mut self, step: &str, ok: bool, observed: impl Into<String>) {
        self.well &= ok;
        let observed = observed.into();
        match self.output {
            Output::Text => println!("{} {step}: {observed}", if ok { "ok     " } else { "MISSING" }),
            Output::Json => println!("{}", json!({"step": step, "ok": ok, "observed": observed})),
        }
    }

    pub(super) fn all_well(&self) -> bool {
        self.well
    }
}
