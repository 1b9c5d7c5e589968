//! Printing reports.

use std::io::Write;

use serde::Serialize;

use crate::arguments::Format;
use crate::failure::{Failure, Kind};

/// What a verb found out: a document for programs (its `Serialize`), and a text for people.
pub trait Report: Serialize {
    /// The text, ending with a newline.
    fn to_text(&self) -> String;
}

/// Prints a report. A reader that has gone away (`| head`) is no failure.
pub fn print(report: &impl Report, format: Format) -> Result<(), Failure> {
    let text = match format {
        Format::Table => report.to_text(),
        Format::Json => {
            let json = serde_json::to_string(report);
            json.map(|line| line + "\n").map_err(|error| Failure::new(Kind::Refused, error.to_string()))?
        }
    };
    write(text.as_bytes())
}

/// Writes to standard output.
pub fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::from_io(error)),
        _ => Ok(()),
    }
}

/// Rows under a heading, in columns.
#[derive(Debug, Clone, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these headings.
    pub fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|text| (*text).to_owned()).collect()] }
    }

    /// One more row; an empty cell is shown as a dash.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let shown = |cell: String| if cell.is_empty() { "-".to_owned() } else { cell };
        self.rows.push(cells.into_iter().map(shown).collect());
    }

    /// The text: columns two spaces apart, each as wide as its widest cell, the last one not padded.
    pub fn to_text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| self.rows.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// A span of time in the largest unit that leaves a number: `850 ms`, `12 s`, `7 min`, `3 h`, `9 d`.
pub fn age(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..120_000 => format!("{} s", millis / 1_000),
        120_000..7_200_000 => format!("{} min", millis / 60_000),
        7_200_000..172_800_000 => format!("{} h", millis / 3_600_000),
        _ => format!("{} d", millis / 86_400_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_also_beyond_ascii() {
        let mut table = Table::new(&["A", "B"]);
        table.row(["é".to_owned(), "x".to_owned()]);
        table.row(["long".to_owned(), String::new()]);
        assert_eq!(table.to_text(), "A     B\né     x\nlong  -\n");
    }

    #[test]
    fn ages_use_the_unit_that_people_would() {
        let shown: Vec<String> = [0, 999, 1_000, 119_999, 120_000, 7_200_000, 172_800_000].map(age).into();
        assert_eq!(shown, ["0 ms", "999 ms", "1 s", "119 s", "2 min", "2 h", "2 d"]);
    }
}
