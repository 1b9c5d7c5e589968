//! Where in a TOML text something is.

use std::fmt;

/// A place in a configuration file, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// Line and column, both from 1; the column counts characters.
    pub position: Option<(usize, usize)>,
    /// Dotted path of the key: `ca.cert`.
    pub key: Option<String>,
}

impl Place {
    pub(super) const fn unknown() -> Self {
        Self { position: None, key: None }
    }

    pub(super) fn key(key: impl Into<String>) -> Self {
        Self { position: None, key: Some(key.into()) }
    }

    /// The place of byte `offset` in `text`.
    pub(super) fn at(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        let current = text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let key = key_of_line(current).map(|key| match table_before(before) {
            Some(table) if !current.trim_start().starts_with('[') => format!("{table}.{key}"),
            _ => key.to_owned(),
        });
        Self { position: Some((line, column)), key }
    }
}

/// The key that a line sets, or the table that it opens. Lines inside a value of several lines have none.
fn key_of_line(line: &str) -> Option<&str> {
    let line = line.trim();
    if let Some(table) = table_name(line) {
        return Some(table);
    }
    let key = line.split_once('=')?.0.trim();
    let plain = |c: char| c.is_alphanumeric() || "_-.\"' ".contains(c);
    (!key.is_empty() && key.chars().all(plain)).then_some(key)
}

fn table_before(text: &str) -> Option<&str> {
    text.lines().rev().find_map(|line| table_name(line.trim()))
}

/// `a.b` of `[a.b]` and `[[a.b]]`; arrays such as `["x"],` are not tables.
fn table_name(line: &str) -> Option<&str> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let inner = line.strip_prefix('[')?.strip_suffix(']')?;
    let name = inner.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(inner).trim();
    let plain = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ": `{key}`")?;
        }
        Ok(())
    }
}
