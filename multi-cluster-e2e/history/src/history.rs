//! A history as a value, and as text: one JSON object a line.

use crate::event::Event;

/// Events in the order in which they happened at the recorder. A write is recorded before its client has it, and
/// everything else after its client had it: so the order errs to the side on which nothing right looks wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The events.
    pub events: Vec<Event>,
}

/// A line that is no event.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is no event of a history")]
pub struct Unreadable {
    /// Which, from 1.
    pub line: usize,
    /// What is wrong with it.
    #[source]
    pub source: serde_json::Error,
}

impl History {
    /// One line for each event.
    ///
    /// # Errors
    /// None for the events that there are; serialisation may fail by its type.
    pub fn to_lines(&self) -> Result<String, serde_json::Error> {
        let mut text = String::new();
        for event in &self.events {
            text.push_str(&serde_json::to_string(event)?);
            text.push('\n');
        }
        Ok(text)
    }

    /// Reads what [`Self::to_lines`] wrote; empty lines count for nothing.
    ///
    /// # Errors
    /// At the first line that is no event.
    pub fn from_lines(text: &str) -> Result<Self, Unreadable> {
        let mut events = Vec::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let event = serde_json::from_str(line).map_err(|source| Unreadable { line: at + 1, source })?;
            events.push(event);
        }
        Ok(Self { events })
    }
}

impl FromIterator<Event> for History {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        Self { events: events.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::good;

    #[test]
    fn what_was_written_is_read_back() {
        let history = good();
        assert_eq!(History::from_lines(&history.to_lines().unwrap()).unwrap(), history);
    }

    #[test]
    fn a_line_that_is_no_event_is_named() {
        let text = format!("{}\n{{\"event\":\"guess\"}}\n", good().to_lines().unwrap());
        let line = good().events.len() + 2;
        assert_eq!(History::from_lines(&text).unwrap_err().line, line);
    }
}
