//! The text of a kubeconfig. JSON, which is YAML as well.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::options::User;

/// For `user` of the API server at `address`, trusting the authority `ca` (PEM).
pub fn text(address: SocketAddr, ca: &str, user: &str) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {
            "server": format!("https://{address}"),
            "certificate-authority-data": STANDARD.encode(ca),
        }}],
        "users": [{"name": user, "user": {"token": User::token(user)}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
    })
    .to_string()
}
