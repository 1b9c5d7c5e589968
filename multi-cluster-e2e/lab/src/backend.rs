//! The sample backend: a real HTTP server that says which pod answered and what it was sent.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Context;
use axum::extract::{Request, State};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// Who a backend is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its cluster.
    pub cluster: String,
    /// Its service.
    pub service: String,
    /// Its own name.
    pub pod: String,
}

/// What it answers to every request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The cluster that answered.
    pub cluster: String,
    /// The service that answered.
    pub service: String,
    /// The pod that answered.
    pub pod: String,
    /// The path that was asked for.
    pub path: String,
    /// The headers that arrived, names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// Serves until `stop` completes and the connections that are open have been answered.
pub async fn serve(
    listen: SocketAddr,
    pod: Pod,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let router = Router::new().fallback(answer).with_state(pod);
    axum::serve(listener, router).with_graceful_shutdown(stop).await.context("the server failed")
}

async fn answer(State(pod): State<Pod>, request: Request) -> Json<Answer> {
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let Pod { cluster, service, pod } = pod;
    Json(Answer { cluster, service, pod, path: request.uri().path().to_owned(), headers })
}
