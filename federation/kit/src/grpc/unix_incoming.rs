//! Accepts connections on a Unix socket that only its owner may open.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use tokio::net::{UnixListener, UnixStream};

use super::accept::Accept;
use crate::bind::BindError;

/// Longest path, in bytes: `sun_path` holds 107 and a final zero, and the socket is born with [`SUFFIX`].
const MAX_PATH: usize = 103;

/// The socket is bound under this name beside its own, and renamed once its mode is right, so that nobody can ever
/// connect to it with wider permissions, and nobody finds a socket that does not answer yet.
const SUFFIX: &str = ".new";

/// A bound Unix socket, as a stream of connections. It removes its file when dropped, unless another process has
/// taken the name over.
#[derive(Debug)]
pub struct UnixIncoming {
    listener: UnixListener,
    path: PathBuf,
    file: FileId,
    accept: Accept,
}

#[derive(Debug, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

/// Binds a Unix socket with mode 0600. A socket that a dead process left behind is replaced; one that somebody
/// answers on is an error, as is a file of another kind.
///
/// # Errors
/// When the name is taken, too long, or in a directory that does not exist or may not be written.
pub async fn bind_unix(path: &Path) -> Result<UnixIncoming, BindError> {
    let fail = |source| BindError::new(format_args!("unix:{}", path.display()), source);
    if path.as_os_str().len() > MAX_PATH {
        let problem = format!("the path is longer than {MAX_PATH} bytes");
        return Err(fail(io::Error::new(io::ErrorKind::InvalidInput, problem)));
    }
    vacant(path).await.map_err(fail)?;
    let mut born = path.as_os_str().to_owned();
    born.push(SUFFIX);
    let born = PathBuf::from(born);
    if vacant(&born).await.map_err(fail)? == Vacant::Stale {
        std::fs::remove_file(&born).map_err(fail)?;
    }
    let listener = UnixListener::bind(&born).map_err(fail)?;
    let finish = || {
        std::fs::set_permissions(&born, std::fs::Permissions::from_mode(0o600))?;
        let file = FileId::of(&born)?;
        std::fs::rename(&born, path)?;
        Ok(file)
    };
    let file = finish().map_err(|error| {
        // Best effort: the error that matters is the one above.
        let _ = std::fs::remove_file(&born);
        fail(error)
    })?;
    Ok(UnixIncoming { listener, path: path.to_owned(), file, accept: Accept::default() })
}

#[derive(Debug, PartialEq, Eq)]
enum Vacant {
    Absent,
    Stale,
}

/// Whether the name may be taken.
async fn vacant(path: &Path) -> io::Result<Vacant> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vacant::Absent),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is not a socket is there"));
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(Vacant::Stale),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vacant::Absent),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "a process answers on it")),
    }
}

impl FileId {
    fn of(path: &Path) -> io::Result<Self> {
        std::fs::symlink_metadata(path).map(|found| Self { device: found.dev(), inode: found.ino() })
    }
}

impl UnixIncoming {
    /// The path it listens on.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Stream for UnixIncoming {
    type Item = io::Result<UnixStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.accept.poll(cx, |cx| this.listener.poll_accept(cx)).map(|(stream, _)| Some(Ok(stream)))
    }
}

impl Drop for UnixIncoming {
    fn drop(&mut self) {
        if FileId::of(&self.path).is_ok_and(|found| found == self.file) {
            // Best effort: a file that stays is found stale by the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
