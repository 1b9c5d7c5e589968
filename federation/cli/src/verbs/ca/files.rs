//! Files of authorities: readable by their owner only, and never replaced without being told to.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::failure::{Failure, Kind};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Where a command writes.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The directory; made if it is not there.
    pub dir: &'a Path,
    /// Whether files that are there are replaced.
    pub force: bool,
}

impl Target<'_> {
    /// Writes files by name, all or none: where one is there already and may not be replaced, nothing is written.
    ///
    /// # Errors
    /// When one is there, or cannot be written.
    pub fn write(self, files: &[(&str, &str)]) -> Result<Vec<PathBuf>, Failure> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(self.dir);
        made.map_err(|error| {
            Failure::new(Kind::Refused, format!("cannot make {}: {error}", self.dir.display()))
        })?;
        let paths: Vec<PathBuf> = files.iter().map(|(name, _)| self.dir.join(name)).collect();
        if let Some(there) = paths.iter().find(|path| !self.force && path.symlink_metadata().is_ok()) {
            return Err(exists(there));
        }
        for (path, (_, text)) in paths.iter().zip(files) {
            self.write_one(path, text)?;
        }
        Ok(paths)
    }

    /// A file is replaced as a whole, so that nobody reads half of it and its mode is never anything else.
    fn write_one(self, path: &Path, text: &str) -> Result<(), Failure> {
        let new = if self.force { path.with_extension("new") } else { path.to_owned() };
        if self.force {
            let _ = fs::remove_file(&new);
        }
        let written = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).and_then(
            |mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()?;
                if self.force { fs::rename(&new, path) } else { Ok(()) }
            },
        );
        written.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => exists(path),
            _ => Failure::new(Kind::Refused, format!("cannot write {}: {error}", path.display())),
        })
    }
}

fn exists(path: &Path) -> Failure {
    Failure::new(Kind::Refused, format!("{} is there already", path.display())).next(
        "Choose another directory, or say --force: what an authority that is replaced has signed is lost.",
    )
}

/// A text of bounded size; `-` is standard input.
///
/// # Errors
/// When it cannot be read, is too large, or is no text.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let failed =
        |error: String| Failure::new(Kind::Usage, format!("cannot read {}: {error}", path.display()));
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(fs::File::open(path).map_err(|error| failed(error.to_string()))?)
    };
    let mut text = Zeroizing::new(String::new());
    source.take(MAX_FILE + 1).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    if text.len() as u64 > MAX_FILE {
        return Err(failed(format!("it has more than {MAX_FILE} bytes")));
    }
    Ok(text)
}
