//! When a token says that it expires. Read without checking any signature, so it is good for shortening a wait only.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

#[derive(Deserialize)]
struct Claims {
    exp: u64,
}

/// Time left until `exp` (RFC 7519), zero if it has passed; `None` if the token is no JWT or has none.
pub(super) fn of_token(token: &str) -> Option<Duration> {
    let payload = token.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let Claims { exp } = serde_json::from_slice(&payload).ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(Duration::from_secs(exp).saturating_sub(now))
}

#[cfg(test)]
pub(super) fn token_that_expires_in(left: Duration) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let claims = format!(r#"{{"exp":{}}}"#, (now + left).as_secs());
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_jwt_has_one() {
        let left = of_token(&token_that_expires_in(Duration::from_secs(1000))).unwrap();
        assert!(left > Duration::from_secs(900) && left <= Duration::from_secs(1000));
        assert_eq!(of_token("e30.eyJleHAiOjF9.x"), Some(Duration::ZERO));
        for token in ["", "opaque", "a.b.c", "a.e30.c", "..."] {
            assert_eq!(of_token(token), None, "{token}");
        }
    }
}
