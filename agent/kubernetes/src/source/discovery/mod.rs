//! What this API server serves of MCS-API and of the About API, asked at the start, whenever a watch is told 404, and
//! every minute, or every five seconds while something is missing.
//!
//! That a kind is missing must be said by two answers, some time apart, before it is believed: it means that every
//! object of it is gone, and an API server that has just started may not know its CRDs yet.
//!
//! Reading order: this file (when) → [`groups`] (which kinds, at which version) → [`schema`] (which fields).

mod groups;
mod schema;

use std::sync::Arc;
use std::time::Duration;

use agent_plan::mcs::observed::{Capabilities, McsVersion};
use federation_kit::backoff::Backoff;
use kube::Client;
use tokio::sync::{Notify, mpsc, watch};

use self::groups::Served;
use self::schema::{ImportFields, Schema};
use super::kind::{ByKind, Kind};
use super::message::{Message, Off};
use super::watch::Route;
use crate::connect::Trouble;

/// Between two looks when nobody rings.
const PERIOD: Duration = Duration::from_secs(60);
/// The same while something is missing: somebody may be about to install a CRD, and no watch will tell.
const PERIOD_MISSING: Duration = Duration::from_secs(5);
/// Between the two answers that it takes to believe that a kind is missing.
const CONFIRM: Duration = Duration::from_secs(2);
/// First and longest delay between attempts.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// How much of one answer is acted upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Believe {
    /// That kinds are there.
    Present,
    /// Also that kinds are not.
    All,
}

/// Asks, and sets the routes of the watches accordingly.
pub(super) struct Discovery {
    client: Client,
    routes: ByKind<Option<watch::Sender<Route>>>,
    out: mpsc::Sender<Message>,
    rediscover: Arc<Notify>,
    schema: Schema,
    last: Option<Served>,
}

impl Discovery {
    /// A discovery that will set the routes of the three kinds that come with CRDs.
    pub(super) fn new(
        client: Client,
        exports: watch::Sender<Route>,
        imports: watch::Sender<Route>,
        properties: watch::Sender<Route>,
        out: mpsc::Sender<Message>,
        rediscover: Arc<Notify>,
    ) -> Self {
        let mut routes = ByKind::default();
        *routes.get_mut(Kind::ServiceExports) = Some(exports);
        *routes.get_mut(Kind::ServiceImports) = Some(imports);
        *routes.get_mut(Kind::ClusterProperties) = Some(properties);
        Self { client, routes, out, rediscover, schema: Schema::default(), last: None }
    }

    /// Runs until the publisher is gone.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        loop {
            let pause = match self.look().await {
                Ok(capabilities) => {
                    backoff.reset();
                    if self.out.send(Message::Capabilities(capabilities)).await.is_err() {
                        return;
                    }
                    if self.lacks_any() { PERIOD_MISSING } else { PERIOD }
                }
                Err(trouble) => {
                    tracing::debug!(error = %trouble, "discovery failed");
                    if self.out.send(Message::DiscoveryFailed(trouble)).await.is_err() {
                        return;
                    }
                    backoff.next_delay()
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.rediscover.notified() => tokio::time::sleep(backoff.next_delay()).await,
            }
        }
    }

    /// Whether something may turn up that no watch will tell of: a kind, or the schema of one that is new. The API
    /// server publishes its document some seconds after it serves the kind.
    fn lacks_any(&self) -> bool {
        self.last.is_none_or(|last| last.lacks_any() || (last.imports.is_some() && !self.schema.is_known()))
    }

    async fn look(&mut self) -> Result<Capabilities, Trouble> {
        let mut served = groups::ask(&self.client).await?;
        if self.last.is_none_or(|last| served.lacks_some_of(last)) && served.lacks_any() {
            self.set_routes(served, Believe::Present);
            tokio::time::sleep(CONFIRM).await;
            served = served.or(groups::ask(&self.client).await?);
        }
        let fields = match served.imports {
            Some(version) => self.schema.import_fields(&self.client, version).await,
            None => ImportFields::default(),
        };
        self.last = Some(served);
        self.set_routes(served, Believe::All);
        Ok(Capabilities {
            exports: served.exports,
            imports: served.imports,
            import_slices_field: fields.slices,
            import_lacks: fields.lacks,
            properties: served.properties,
        })
    }

    fn set_routes(&self, served: Served, believe: Believe) {
        let mcs = |kind: Kind, version: Option<McsVersion>| route(kind, version.map(McsVersion::as_str));
        let properties = served.properties.then_some(groups::ABOUT_VERSION);
        for (kind, wanted) in [
            (Kind::ServiceExports, mcs(Kind::ServiceExports, served.exports)),
            (Kind::ServiceImports, mcs(Kind::ServiceImports, served.imports)),
            (Kind::ClusterProperties, route(Kind::ClusterProperties, properties)),
        ] {
            if let Some(route) = self.routes.get(kind) {
                route.send_if_modified(|last| {
                    let believed = believe == Believe::All || matches!(wanted, Route::At(_));
                    let changed = *last != wanted && believed;
                    if changed {
                        *last = wanted;
                    }
                    changed
                });
            }
        }
    }
}

fn route(kind: Kind, version: Option<&str>) -> Route {
    version.map_or(Route::Off(Off::NotServed), |version| Route::At(kind.path(version).into()))
}
