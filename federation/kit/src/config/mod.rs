//! Configuration files: TOML, and errors that name the file, the line, the column and the key.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::files::{self, FileError};

mod place;
#[cfg(test)]
mod tests;

pub use place::Place;

/// Largest configuration file that is read, in bytes.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// A configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file itself.
    #[error("configuration")]
    File(#[source] FileError),
    /// The file is not UTF-8.
    #[error("{} is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The text is not TOML, or a key is unknown, missing or of the wrong kind.
    #[error("{}{place}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: Place,
        /// What is wrong, on one line.
        problem: String,
    },
}

impl ConfigError {
    /// For a rule over several keys, checked after parsing: names the key whose value breaks it.
    pub fn invalid(path: &Path, key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { path: path.to_owned(), place: Place::key(key), problem: problem.into() }
    }
}

/// Reads and parses a configuration file of at most [`MAX_BYTES`]. `T` should `deny_unknown_fields`: a misspelt
/// key is then an error with its place, and not a setting that silently has its default.
///
/// # Errors
/// [`ConfigError`], which says where to look.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let bytes = files::read_bounded(path, MAX_BYTES).map_err(ConfigError::File)?;
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotText { path: path.to_owned() })?;
    parse(path, &text)
}

/// Parses the text of a configuration file; `path` is only for errors.
///
/// # Errors
/// [`ConfigError::Invalid`].
pub fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| ConfigError::Invalid {
        path: path.to_owned(),
        place: error.span().map_or_else(Place::unknown, |span| Place::at(text, span.start)),
        problem: error.message().lines().collect::<Vec<_>>().join("; "),
    })
}
