//! The service-account token in every call.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use federation_kit::exit::chain;
use federation_kit::files;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};
use zeroize::Zeroizing;

/// Largest file of a token, in bytes; those of Kubernetes have about 1 KiB.
const MAX_TOKEN: u64 = 16 * 1024;

/// Puts a file's token into calls, as it is at each call: calls are few, the file is in memory and small, and the kubelet
/// replaces it at its own time.
#[derive(Debug, Clone)]
pub(super) struct Bearer(Option<Arc<PathBuf>>);

impl Bearer {
    /// Calls need none.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// The token of this file.
    pub(super) fn file(path: PathBuf) -> Self {
        Self(Some(Arc::new(path)))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(path) = &self.0 {
            let value = read(path).map_err(Status::unauthenticated)?;
            request.metadata_mut().insert("authorization", value);
        }
        Ok(request)
    }
}

/// The header's value, or what is wrong with the file, without any of its content.
fn read(path: &Path) -> Result<MetadataValue<Ascii>, String> {
    let shown = path.display();
    let bytes = files::read_bounded(path, MAX_TOKEN).map_err(|error| format!("token: {}", chain(&error)))?;
    let bytes = Zeroizing::new(bytes);
    let text = str::from_utf8(&bytes).map_err(|_| format!("token: {shown} is not text"))?.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("token: {shown} holds no token"));
    }
    let header = Zeroizing::new(format!("Bearer {text}"));
    let mut value: MetadataValue<Ascii> =
        header.as_str().try_into().map_err(|_| format!("token: {shown} holds no token"))?;
    // So that nothing that prints requests prints it.
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_read_at_each_call_and_a_bad_file_is_named_without_its_content() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let mut bearer = Bearer::file(path.clone());
        let missing = bearer.call(Request::new(())).unwrap_err();
        assert!(missing.message().contains("token"), "{missing}");
        for token in ["first", "second"] {
            std::fs::write(&path, format!("{token}\n")).unwrap();
            let request = bearer.call(Request::new(())).unwrap();
            let value = request.metadata().get("authorization").unwrap();
            assert_eq!(value.to_str().unwrap(), format!("Bearer {token}"));
            assert!(!format!("{request:?}").contains(token), "it is not printed");
        }
        for bad in ["", " \n", "two secret words", "sécret"] {
            std::fs::write(&path, bad).unwrap();
            let refused = bearer.call(Request::new(())).unwrap_err();
            assert!(refused.message().contains("holds no token"), "{refused}");
            assert!(!refused.message().contains("secret"), "{refused}");
        }
        let plain = Bearer::none().call(Request::new(())).unwrap();
        assert!(plain.metadata().is_empty());
    }
}
