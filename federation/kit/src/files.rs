//! Files that are never half written, and reads that are never unbounded. Blocking calls: small files only, or
//! from `spawn_blocking`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct FileError {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl FileError {
    fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }

    /// What the operating system said; `NotFound` is the one callers ask about.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

/// Replaces `path` by `bytes`, with permission bits `mode`. A reader, or a crash at any moment, sees the old file
/// or the new one whole: the bytes go to a temporary file beside it, are flushed to disk, and renamed over it, and
/// the directory is flushed.
///
/// # Errors
/// With the path and the step that failed. The old file is then unchanged, except that after an error in the last
/// step (flushing the directory) either may be found after a power cut.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let temporary = temporary_name(directory, path);
    let written = write_new(&temporary, bytes, mode)
        .map_err(FileError::at("write", &temporary))
        .and_then(|()| fs::rename(&temporary, path).map_err(FileError::at("replace", path)));
    if written.is_err() {
        // Best effort: the error that matters is the one above.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    File::open(directory)
        .and_then(|open| open.sync_all())
        .map_err(FileError::at("flush directory", directory))
}

/// Reads the whole of `path`, refusing more than `max` bytes.
///
/// # Errors
/// When it cannot be read, is longer than `max` (kind `FileTooLarge`), or does not exist (kind `NotFound`).
pub fn read_bounded(path: &Path, max: u64) -> Result<Vec<u8>, FileError> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length <= max) {
            return Ok(bytes);
        }
        Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {max} bytes")))
    };
    read().map_err(FileError::at("read", path))
}

/// Makes `path` and its parents, and gives it mode 0700: what a daemon keeps there is its own.
///
/// # Errors
/// When it cannot be made, or belongs to another user.
pub fn create_private_dir(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o700)))
        .map_err(FileError::at("create directory", path))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // Set on the open file: the umask has no say, and nobody can open it with wider bits in between.
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn temporary_name(directory: &Path, path: &Path) -> PathBuf {
    static UNIQUE: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unique = UNIQUE.fetch_add(1, Ordering::Relaxed);
    directory.join(format!(".{name}.{}.{unique}.tmp", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_replaces_whole_with_its_mode_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        write_atomic(&path, b"old and long", 0o644).unwrap();
        write_atomic(&path, b"new", 0o600).unwrap();
        assert_eq!(read_bounded(&path, 3).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_read_is_bounded_and_errors_name_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("big");
        fs::write(&path, [0; 9]).unwrap();
        let error = read_bounded(&path, 8).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(error.to_string().ends_with("/big"), "{error}");
        assert_eq!(
            read_bounded(&directory.path().join("none"), 8).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn a_failed_write_leaves_no_temporary_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("taken");
        fs::create_dir_all(path.join("child")).unwrap();
        write_atomic(&path, b"x", 0o600).unwrap_err();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
