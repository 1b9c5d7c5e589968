//! Where the set-up scripts of this repository put what they fetch and build (`deploy/setup/common.sh`).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the environment variable `given` names, or else `within` the cache: `$ISTHMUS_CACHE`, else `isthmus` in the cache
/// of this user. Whether it is there is not looked at.
pub fn path(given: &str, within: &str) -> PathBuf {
    path_in(|name| std::env::var_os(name), given, within)
}

fn path_in(env: impl Fn(&str) -> Option<OsString>, given: &str, within: &str) -> PathBuf {
    let env = |name: &str| env(name).map(PathBuf::from);
    if let Some(given) = env(given) {
        return given;
    }
    let cache = env("ISTHMUS_CACHE")
        .or_else(|| env("XDG_CACHE_HOME").map(|dir| dir.join("isthmus")))
        .or_else(|| env("HOME").map(|dir| dir.join(".cache/isthmus")));
    cache.unwrap_or_else(|| Path::new("/var/cache/isthmus").to_owned()).join(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_for_where_the_environment_says() {
        for (set, expected) in [
            (vec![("ISTHMUS_ENVOY", "/e"), ("HOME", "/h")], "/e"),
            (vec![("ISTHMUS_CACHE", "/c"), ("HOME", "/h")], "/c/envoy-1/envoy"),
            (vec![("XDG_CACHE_HOME", "/x")], "/x/isthmus/envoy-1/envoy"),
            (vec![("HOME", "/h")], "/h/.cache/isthmus/envoy-1/envoy"),
            (vec![], "/var/cache/isthmus/envoy-1/envoy"),
        ] {
            let env = |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| value.into());
            assert_eq!(path_in(env, "ISTHMUS_ENVOY", "envoy-1/envoy"), Path::new(expected));
        }
    }
}
