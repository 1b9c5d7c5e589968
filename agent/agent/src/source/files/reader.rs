//! Reads the directory, file by file, and keeps the last good contents of each.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::limits::{MAX_FILE_BYTES, MAX_FILES, POLL, RENAMED_AWAY};
use super::marks::{Mark, Marks};
use super::merge::merge;
use super::object::{Contents, Found};
use super::watcher::Watcher;
use super::yaml::{self, Mistake};
use crate::source::{Problem, Reason, Severity, SourceState};
use federation_kit::exit::chain;

/// The directory as it was read last.
#[derive(Debug)]
pub(super) struct Reader {
    directory: PathBuf,
    marks: Arc<Marks>,
    watcher: Watcher,
    files: BTreeMap<OsString, File>,
    loaded: bool,
}

/// What was read, and when to look again at the latest.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) state: SourceState,
    pub(super) look_again: Duration,
}

/// One file.
#[derive(Debug, Default)]
struct File {
    stamp: Option<Stamp>,
    /// The last contents without a mistake.
    good: Vec<Found>,
    problems: Vec<Problem>,
    /// Since when there is no file of this name.
    missing: Option<Instant>,
}

/// A file that has the same stamp has the same contents.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Reader {
    pub(super) fn new(directory: PathBuf, marks: Arc<Marks>, watcher: Watcher) -> Self {
        Self { directory, marks, watcher, files: BTreeMap::new(), loaded: false }
    }

    /// Reads what changed. Blocking. Whatever cannot be read stays as it was, with a problem.
    pub(super) fn scan(&mut self) -> Scan {
        let mut look_again = POLL;
        let mut problems = Vec::new();
        let mut of_directory = |severity, reason, message: String| {
            let file = self.directory.display().to_string();
            problems.push(Mistake::whole(reason, message).into_problem(severity, &file));
        };
        // What was in a directory before it was watched has no events. It is believed as it stands.
        let fresh = self.watcher.renew().unwrap_or_else(|why| {
            let message = format!("is not watched, changes are seen within {} s: {why}", 2 * POLL.as_secs());
            of_directory(Severity::Warning, Reason::NotWatched, message);
            !self.loaded
        });
        match names(&self.directory) {
            Err(error) => {
                of_directory(Severity::Error, Reason::Unreadable, format!("cannot be read: {error}"))
            }
            Ok(mut names) => {
                if names.len() > MAX_FILES {
                    let message =
                        format!("has {} files; {MAX_FILES} are read, the first by name", names.len());
                    of_directory(Severity::Error, Reason::TooLarge, message);
                    names = names.into_iter().take(MAX_FILES).collect();
                }
                self.loaded = true;
                for name in &names {
                    self.look(name, fresh);
                }
                look_again = self.forget_all_but(&names);
            }
        }
        let labels: Vec<String> = self.files.keys().map(|name| name.to_string_lossy().into_owned()).collect();
        let found =
            labels.iter().map(String::as_str).zip(self.files.values().map(|file| file.good.as_slice()));
        let (objects, duplicates) = merge(found);
        problems.extend(self.files.values().flat_map(|file| file.problems.iter().cloned()));
        problems.extend(duplicates);
        problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        Scan { state: SourceState { objects, problems, loaded: self.loaded }, look_again }
    }

    /// Drops files that are gone: those that are known to be deleted at once, the others when no file took their place
    /// for a while.
    fn forget_all_but(&mut self, names: &BTreeSet<OsString>) -> Duration {
        let now = Instant::now();
        let mut look_again = POLL;
        self.files.retain(|name, file| {
            if names.contains(name) {
                file.missing = None;
                return true;
            }
            let since = *file.missing.get_or_insert(now);
            let left = RENAMED_AWAY.saturating_sub(now.saturating_duration_since(since));
            let keep = self.marks.get(name) != Some(Mark::Removed) && !left.is_zero();
            if keep {
                look_again = look_again.min(left);
            }
            keep
        });
        self.marks.keep_only(|name| names.contains(name) || self.files.contains_key(name));
        look_again
    }

    /// Reads one file if it changed and the change can be believed.
    fn look(&mut self, name: &OsStr, fresh: bool) {
        let path = self.directory.join(name);
        let file = self.files.entry(name.to_owned()).or_default();
        let label = name.to_string_lossy();
        let before = match Stamp::of(&path) {
            Ok(Some(stamp)) => stamp,
            // Directories, sockets and the like are none of ours, whatever their names.
            Ok(None) => return drop(self.files.remove(name)),
            // It went away after its name was read, unless it is a link that leads nowhere.
            Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => return,
            Err(error) => return file.fail(Reason::Unreadable, format!("cannot be read: {error}"), &label),
        };
        let quiet = before.age() >= POLL;
        let complete = self.marks.take_complete(name) || fresh || file.relinked(&path, &before);
        let changed = file.stamp.as_ref() != Some(&before);
        if !(complete || changed && quiet) || (self.marks.get(name) == Some(Mark::Writing) && !quiet) {
            return;
        }
        if before.bytes > MAX_FILE_BYTES {
            let message = format!("has {} bytes, at most {MAX_FILE_BYTES} are allowed", before.bytes);
            file.stamp = Some(before);
            return file.fail(Reason::TooLarge, message, &label);
        }
        let bytes = match federation_kit::files::read_bounded(&path, MAX_FILE_BYTES) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.marks.put_back(name);
                return file.fail(Reason::Unreadable, chain(&error).to_string(), &label);
            }
        };
        // Looked at again after reading: a write that began meanwhile left its mark or its time.
        let after = Stamp::of(&path).ok().flatten();
        if after.as_ref() != Some(&before) || (self.marks.get(name) == Some(Mark::Writing) && !quiet) {
            if after.is_some_and(|after| after.same_content(&before)) {
                self.marks.put_back(name);
            }
            return;
        }
        file.stamp = Some(before);
        file.read(&bytes, &label);
    }
}

impl File {
    fn fail(&mut self, reason: Reason, message: String, label: &str) {
        self.problems = vec![Mistake::whole(reason, message).into_problem(Severity::Error, label)];
    }

    /// Whether `path` is a link that now leads to another file, as in a ConfigMap, whose files are written before they
    /// are linked; or that led nowhere.
    fn relinked(&self, path: &Path, now: &Stamp) -> bool {
        let elsewhere = self.stamp.as_ref().is_some_and(|last| last.file != now.file);
        let nowhere = self.problems.iter().any(|problem| problem.reason == Reason::Unreadable);
        path.is_symlink() && (elsewhere || nowhere)
    }

    fn read(&mut self, bytes: &[u8], label: &str) {
        let contents = match yaml::documents(bytes) {
            Ok(documents) => Contents::of(&documents),
            Err(mistake) => Contents { mistakes: vec![mistake], ..Contents::default() },
        };
        let told = |mistakes: Vec<Mistake>, severity| {
            mistakes.into_iter().map(move |mistake| mistake.into_problem(severity, label))
        };
        if contents.mistakes.is_empty() {
            self.good = contents.objects;
        }
        self.problems = told(contents.mistakes, Severity::Error).collect();
        self.problems.extend(told(contents.warnings, Severity::Warning));
    }
}

impl Stamp {
    /// Of the file that `path` leads to, through links; `None` if that is no regular file.
    fn of(path: &Path) -> std::io::Result<Option<Self>> {
        let found = fs::metadata(path)?;
        Ok(found.is_file().then(|| Self {
            file: (found.dev(), found.ino()),
            bytes: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }))
    }

    /// Whether at most permissions and the like differ.
    fn same_content(&self, other: &Self) -> bool {
        (self.file, self.bytes, self.modified) == (other.file, other.bytes, other.modified)
    }

    /// Time since the last change; zero where clocks disagree.
    fn age(&self) -> Duration {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (seconds, nanos) = self.changed;
        let at = Duration::new(u64::try_from(seconds).unwrap_or(0), u32::try_from(nanos).unwrap_or(0));
        now.saturating_sub(at)
    }
}

/// Names of the files that are read: `*.yaml`, `*.yml`, `*.json`, not hidden. Hidden names are editors' temporary
/// files and the insides of a mounted ConfigMap (`..data`), whose files are links of proper names.
fn names(directory: &Path) -> std::io::Result<BTreeSet<OsString>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let extension = Path::new(&name).extension().and_then(OsStr::to_str);
        let hidden = name.as_encoded_bytes().first() == Some(&b'.');
        if !hidden && matches!(extension, Some("yaml" | "yml" | "json")) {
            names.insert(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
