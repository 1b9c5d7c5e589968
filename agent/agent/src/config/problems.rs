//! Every mistake of a file, collected instead of stopping at the first.

use std::fmt::Display;
use std::str::FromStr;

/// What is wrong so far, each with its key.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<String>);

impl Problems {
    pub(super) fn add(&mut self, key: &str, problem: impl Display) {
        self.0.push(format!("`{key}`: {problem}"));
    }

    pub(super) fn take<T, E: Display>(&mut self, key: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|problem| self.add(key, problem)).ok()
    }

    pub(super) fn parse<T: FromStr<Err: Display>>(&mut self, key: &str, text: &str) -> Option<T> {
        self.take(key, text.parse())
    }

    /// `Some(None)` where the key is not there.
    pub(super) fn parse_some<T: FromStr<Err: Display>>(
        &mut self,
        key: &str,
        text: Option<&str>,
    ) -> Option<Option<T>> {
        text.map_or(Some(None), |text| self.parse(key, text).map(Some))
    }

    /// The value, if nothing at all is wrong.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Vec<String>> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self.0),
        }
    }
}
