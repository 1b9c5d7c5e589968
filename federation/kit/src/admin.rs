//! The admin endpoint of a daemon: plain HTTP, read-only, without identities. Bind it to loopback or to a network
//! that only operators and the metrics collector reach.
//!
//! `/livez` answers while the process can answer; `/readyz` is 503 with the reasons while it waits or drains;
//! `/metrics` is OpenMetrics text; `/config` is the effective configuration as the daemon chooses to show it
//! (without secrets). It keeps answering during a drain, and closes when the drain is over.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::bind::{self, BindError};
use crate::drain::{DrainObserver, DrainWatcher};
use crate::readiness::Readiness;

/// A bound admin endpoint; [`AdminServer::run`] serves it.
#[derive(Debug)]
pub struct AdminServer {
    listener: TcpListener,
    local: SocketAddr,
    readiness: Readiness,
    router: Router,
}

impl AdminServer {
    /// Binds the endpoint.
    ///
    /// # Errors
    /// When the address is taken, absent or forbidden.
    pub async fn bind(address: SocketAddr, readiness: Readiness) -> Result<Self, BindError> {
        let listener = bind::tcp(address).await?;
        let local = bind::bound(&listener, address)?;
        let router = Router::new().route("/livez", get(async || "ok\n"));
        Ok(Self { listener, local, readiness, router })
    }

    /// The address it listens on.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Serves the registry as `/metrics`.
    #[must_use]
    pub fn metrics(self, registry: Registry) -> Self {
        let registry = Arc::new(registry);
        self.merge(Router::new().route("/metrics", get(metrics)).with_state(registry))
    }

    /// Serves `text` as `/config`. The caller leaves secrets out.
    #[must_use]
    pub fn config(self, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        self.merge(Router::new().route("/config", get(async move || text.to_string())))
    }

    /// Serves what `page` makes, anew for each request, as JSON. `path` starts with `/`.
    #[must_use]
    pub fn json<F>(self, path: &str, page: F) -> Self
    where
        F: Fn() -> serde_json::Value + Send + Sync + 'static,
    {
        let page = Arc::new(page);
        self.merge(Router::new().route(path, get(async move || Json(page()))))
    }

    /// Adds routes of the daemon's own, such as a dashboard.
    #[must_use]
    pub fn merge(mut self, routes: Router) -> Self {
        self.router = self.router.merge(routes);
        self
    }

    /// Serves until the drain is over. The watcher is given up at once: this endpoint must not hold the drain that
    /// it reports.
    pub async fn run(self, drain: DrainWatcher) {
        let drain = drain.into_observer();
        let ready = Router::new().route("/readyz", get(readyz)).with_state((self.readiness, drain.clone()));
        let served = axum::serve(self.listener, self.router.merge(ready)).with_graceful_shutdown({
            let drain = drain.clone();
            async move { drain.finished().await }
        });
        // Idle keep-alive connections must not keep the process: the server ends with the drain, whoever is
        // still connected.
        tokio::select! {
            biased;
            ended = async { served.await } => {
                if let Err(error) = ended {
                    tracing::error!(%error, "admin endpoint failed");
                }
            }
            () = drain.finished() => {}
        }
    }
}

async fn readyz(State((readiness, drain)): State<(Readiness, DrainObserver)>) -> Response {
    if drain.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    let pending = readiness.pending();
    if pending.is_empty() {
        return "ready\n".into_response();
    }
    let waiting: String = pending.iter().map(|what| format!("waiting for {what}\n")).collect();
    (StatusCode::SERVICE_UNAVAILABLE, waiting).into_response()
}

async fn metrics(State(registry): State<Arc<Registry>>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{build_info, drain};

    async fn page(address: SocketAddr, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("http://{address}{path}")).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    #[tokio::test]
    async fn tells_live_ready_draining_metrics_and_pages() {
        let readiness = Readiness::new();
        let waits = readiness.register("a snapshot");
        let mut registry = Registry::default();
        build_info::register(&mut registry, "sample");
        let server = AdminServer::bind("127.0.0.1:0".parse().unwrap(), readiness)
            .await
            .unwrap()
            .metrics(registry)
            .config("id = 1\n")
            .json("/status", || serde_json::json!({ "revision": 7 }));
        let address = server.local_addr();
        let (trigger, watcher) = drain::channel();
        let work = watcher.clone();
        let served = tokio::spawn(server.run(watcher));

        assert_eq!(page(address, "/livez").await, (200, "ok\n".to_owned()));
        assert_eq!(page(address, "/readyz").await, (503, "waiting for a snapshot\n".to_owned()));
        drop(waits);
        assert_eq!(page(address, "/readyz").await, (200, "ready\n".to_owned()));
        assert_eq!(page(address, "/config").await, (200, "id = 1\n".to_owned()));
        assert_eq!(page(address, "/status").await, (200, "{\"revision\":7}".to_owned()));
        assert!(page(address, "/metrics").await.1.contains("isthmus_build_info{component=\"sample\""));

        let draining = tokio::spawn(trigger.drain(Duration::from_secs(60)));
        work.wait().await;
        assert_eq!(page(address, "/readyz").await, (503, "draining\n".to_owned()));
        drop(work);
        draining.await.unwrap();
        served.await.unwrap();
    }
}
