//! What is running: version, and the commit where the build was told it.

use std::sync::LazyLock;

use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// Version of the workspace; every crate and binary has the same.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Commit the binary was built from, when `ISTHMUS_COMMIT` was set at build time.
pub const COMMIT: Option<&str> = option_env!("ISTHMUS_COMMIT");

/// `0.1.0` or `0.1.0 (abc1234)`, for `--version` and the first log line.
#[must_use]
pub fn version() -> &'static str {
    static TEXT: LazyLock<String> =
        LazyLock::new(|| COMMIT.map_or_else(|| VERSION.to_owned(), |commit| format!("{VERSION} ({commit})")));
    &TEXT
}

/// Registers `isthmus_build_info{component, version, commit} 1`.
pub fn register(registry: &mut Registry, component: &'static str) {
    let labels =
        vec![("component", component), ("version", VERSION), ("commit", COMMIT.unwrap_or("unknown"))];
    registry.register("isthmus_build", "Version of the running binary", Info::new(labels));
}
