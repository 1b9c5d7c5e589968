//! `snapshot save | inspect | restore`: a backup of the catalogue as a file.
//!
//! Restoring needs no server: the file is put into the empty data directory of each server of a new set, which begins
//! with it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use federation_model::Backup;
use federation_model::backup::{MAX_BYTES, RESTORE_FILE};
use serde::Serialize;

use crate::connect::Federation;
use crate::failure::{Failure, Kind};
use crate::output::{Report, Table};

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// The file.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Of which clusterset.
    pub clusterset: String,
    /// The last entry in it.
    pub revision: u64,
    /// The leader's clock at that entry, in milliseconds since the Unix epoch.
    pub at_unix_millis: u64,
    /// The version of the server that made it.
    pub version: String,
    /// Clusters, with how many exports each has.
    pub clusters: Vec<ClusterLine>,
    /// VIPs given.
    pub vips: usize,
    /// Bundles.
    pub bundles: usize,
    /// Join tokens, used ones included.
    pub tokens: usize,
}

/// One cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClusterLine {
    /// Its id.
    pub id: String,
    /// Its trust domain.
    pub trust_domain: String,
    /// How many services it exports.
    pub exports: usize,
}

/// Where a backup was put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The data directory.
    pub data_dir: PathBuf,
    /// What the server will begin with.
    pub contents: Contents,
}

/// Saves a backup into `file`, which must not be there yet. The file is complete, or not there.
pub async fn save(federation: &Federation, file: &Path) -> Result<Contents, Failure> {
    if file.exists() {
        return Err(exists(file));
    }
    let part = beside(file);
    let mut written = Part::create(&part)?;
    federation
        .backup(|piece| written.file.write_all(piece).map_err(|error| cannot("write", &part, &error)))
        .await?;
    written.file.sync_all().map_err(|error| cannot("write", &part, &error))?;
    // What cannot be read back is no backup.
    let contents = inspect(&part)?;
    // A link and not a rename: a file that came meanwhile is not replaced.
    fs::hard_link(&part, file).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(file),
        _ => cannot("write", file, &error),
    })?;
    Ok(Contents { file: file.to_owned(), ..contents })
}

/// Reads a backup whole, and says what is in it.
pub fn inspect(file: &Path) -> Result<Contents, Failure> {
    let (bytes, backup) = read(file)?;
    Ok(contents(file, bytes.len(), &backup))
}

/// Puts a backup into the data directory of a server that has none yet.
pub fn restore(file: &Path, data_dir: &Path) -> Result<Restored, Failure> {
    let (bytes, backup) = read(file)?;
    fs::create_dir_all(data_dir).map_err(|error| cannot("make", data_dir, &error))?;
    let mut present = fs::read_dir(data_dir).map_err(|error| cannot("read", data_dir, &error))?;
    if present.next().is_some() {
        return Err(Failure::new(
            Kind::Refused,
            format!("{} is not empty: a server that has a log keeps it", data_dir.display()),
        )
        .next("restore into an empty directory, for each server of the new set the same file"));
    }
    let (part, whole) = (data_dir.join("restore.part"), data_dir.join(RESTORE_FILE));
    let mut written = Part::create(&part)?;
    let done = written.file.write_all(&bytes).and_then(|()| written.file.sync_all());
    done.and_then(|()| fs::rename(&part, &whole)).map_err(|error| cannot("write", &whole, &error))?;
    Ok(Restored { data_dir: data_dir.to_owned(), contents: contents(file, bytes.len(), &backup) })
}

fn read(file: &Path) -> Result<(Vec<u8>, Backup), Failure> {
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(|error| cannot("read", file, &error))?;
    opened.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| cannot("read", file, &error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Failure::new(Kind::Usage, format!("{} is larger than any backup", file.display())));
    }
    let backup = Backup::from_bytes(&bytes).map_err(|error| {
        let error: &dyn std::error::Error = &error;
        let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        Failure::new(Kind::Refused, format!("{} {error}{cause}", file.display()))
            .next("make another one: isthmus snapshot save FILE")
    })?;
    Ok((bytes, backup))
}

fn contents(file: &Path, bytes: usize, backup: &Backup) -> Contents {
    let (header, state) = (&backup.header, &backup.state);
    let cluster = |cluster: &federation_model::Cluster| ClusterLine {
        id: cluster.id.to_string(),
        trust_domain: cluster.trust_domain.to_string(),
        exports: state.exports().filter(|export| export.cluster == cluster.id).count(),
    };
    Contents {
        file: file.to_owned(),
        bytes: bytes as u64,
        clusterset: header.clusterset.to_string(),
        revision: header.revision.0,
        at_unix_millis: header.at.0,
        version: header.version.clone(),
        clusters: state.clusters().map(cluster).collect(),
        vips: state.vips().count(),
        bundles: state.bundles().count(),
        tokens: state.tokens().count(),
    }
}

/// A file that is being written, and is removed again unless it got another name.
struct Part {
    path: PathBuf,
    file: File,
}

impl Part {
    /// For the owner alone: the catalogue is nobody else's business.
    fn create(path: &Path) -> Result<Self, Failure> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
        let file = file.map_err(|error| cannot("write", path, &error))?;
        Ok(Self { path: path.to_owned(), file })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It is gone already where it was renamed.
        let _ = fs::remove_file(&self.path);
    }
}

fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    file.with_file_name(name)
}

fn exists(file: &Path) -> Failure {
    Failure::new(Kind::Refused, format!("{} is there already", file.display()))
        .next("give another name, or move it away: no backup replaces another")
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Kind::Usage, format!("cannot {what} {}: {error}", path.display()))
}

impl Report for Contents {
    fn to_text(&self) -> String {
        let mut table = Table::new(&["CLUSTER", "TRUST DOMAIN", "EXPORTS"]);
        for cluster in &self.clusters {
            table.row([cluster.id.clone(), cluster.trust_domain.clone(), cluster.exports.to_string()]);
        }
        format!(
            "File        {}, {} bytes, whole\nClusterset  {}\nRevision    {}\nTaken       {}, by version {}\n\
             Holds       {} VIPs, {} bundles, {} join tokens\n\n{}",
            self.file.display(),
            self.bytes,
            self.clusterset,
            self.revision,
            super::audit::instant(self.at_unix_millis),
            self.version,
            self.vips,
            self.bundles,
            self.tokens,
            table.to_text(),
        )
    }
}

impl Report for Restored {
    fn to_text(&self) -> String {
        format!(
            "{} will begin with revision {} of {}.\n\
             Do the same for every other server of the new set, then start them all.\n",
            self.data_dir.display(),
            self.contents.revision,
            self.contents.clusterset,
        )
    }
}
