//! A fake API server, in memory and without sockets, so that time can be paused. It understands what the writers of this
//! crate send: server-side apply by several managers, subresources, merge patches, preconditions; and it can be told to
//! refuse, fail, hang and be slow. It shows what it holds as the watches would, at once or when it is told to.

mod merge;
mod store;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_plan::mcs::Observed;
use http::{Method, Request, Response};
use http_body_util::Full;
use kube::client::Body;
use serde_json::Value;
use tokio::sync::watch;

pub(crate) use store::{Store, key};

/// The server. Clones are the same server.
#[derive(Clone)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
    observed: watch::Sender<Arc<Observed>>,
}

struct State {
    store: Store,
    faults: Vec<Fault>,
    calls: Vec<Call>,
    /// Paths of objects that are being written.
    under_way: Vec<String>,
    most_under_way: usize,
    /// Whether two writes of one object were ever under way.
    overlapped: bool,
    latency: Duration,
    /// Whether the watches deliver.
    delivers: bool,
}

/// A request that was made.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Without its query.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: Vec<u8>,
    pub(crate) at: tokio::time::Instant,
}

impl Call {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What goes wrong, for whom, how often.
struct Fault {
    path: String,
    left: usize,
    answer: Wrong,
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum Wrong {
    /// This status and body, and `Retry-After`.
    Says(u16, String, Option<u64>),
    /// Nothing, ever.
    Hangs,
}

impl Fake {
    pub(crate) fn new() -> Self {
        let store = Store::new();
        let observed = watch::Sender::new(Arc::new(store.observe()));
        let state = State {
            store,
            faults: Vec::new(),
            calls: Vec::new(),
            under_way: Vec::new(),
            most_under_way: 0,
            overlapped: false,
            latency: Duration::from_millis(1),
            delivers: true,
        };
        Self { state: Arc::new(Mutex::new(state)), observed }
    }

    pub(crate) fn client(&self) -> kube::Client {
        let fake = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let fake = fake.clone();
            async move { Ok::<_, std::convert::Infallible>(fake.serve(request).await) }
        });
        kube::Client::new(service, "default")
    }

    pub(crate) fn observed(&self) -> watch::Receiver<Arc<Observed>> {
        self.observed.subscribe()
    }

    /// Changes what is stored, as somebody else would.
    pub(crate) fn edit<T>(&self, edit: impl FnOnce(&mut Store) -> T) -> T {
        let edited = edit(&mut self.state.lock().unwrap().store);
        self.deliver();
        edited
    }

    /// The next `times` requests whose path contains `path` go wrong.
    pub(crate) fn fail(&self, path: &str, times: usize, answer: Wrong) {
        self.state.lock().unwrap().faults.push(Fault { path: path.to_owned(), left: times, answer });
    }

    pub(crate) fn heal(&self) {
        self.state.lock().unwrap().faults.clear();
    }

    /// Whether the watches say what happens, or are behind.
    pub(crate) fn delivers(&self, delivers: bool) {
        self.state.lock().unwrap().delivers = delivers;
        self.deliver();
    }

    pub(crate) fn slow(&self, latency: Duration) {
        self.state.lock().unwrap().latency = latency;
    }

    /// Requests so far, without those about Events.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let state = self.state.lock().unwrap();
        state.calls.iter().filter(|call| !call.path.contains("/events")).cloned().collect()
    }

    /// Requests whose path contains this.
    pub(crate) fn calls_of(&self, path: &str) -> Vec<Call> {
        let state = self.state.lock().unwrap();
        state.calls.iter().filter(|call| call.path.contains(path)).cloned().collect()
    }

    pub(crate) fn forget_calls(&self) {
        self.state.lock().unwrap().calls.clear();
    }

    /// The most writes under way at once, and whether two of them were of one object.
    pub(crate) fn concurrency(&self) -> (usize, bool) {
        let state = self.state.lock().unwrap();
        (state.most_under_way, state.overlapped)
    }

    fn deliver(&self) {
        let state = self.state.lock().unwrap();
        if state.delivers {
            self.observed.send_replace(Arc::new(state.store.observe()));
        }
    }

    async fn serve(&self, request: Request<Body>) -> Response<Full<bytes::Bytes>> {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap().to_vec();
        let path = parts.uri.path().to_owned();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let writes = parts.method != Method::GET;
        let object = path.trim_end_matches("/status").to_owned();
        let at = tokio::time::Instant::now();
        let call = Call { method: parts.method, path, query, body, at };
        let (latency, wrong) = {
            let mut state = self.state.lock().unwrap();
            state.calls.push(call.clone());
            if writes {
                state.overlapped |= state.under_way.contains(&object);
                state.under_way.push(object.clone());
                state.most_under_way = state.most_under_way.max(state.under_way.len());
            }
            let fault =
                state.faults.iter_mut().find(|fault| fault.left > 0 && call.path.contains(&fault.path));
            let wrong = fault.map(|fault| {
                fault.left -= 1;
                fault.answer.clone()
            });
            (state.latency, wrong)
        };
        // A request that is given up is not under way any more.
        let _under_way = UnderWay { fake: self, object: writes.then_some(object) };
        tokio::time::sleep(latency).await;
        match wrong {
            Some(Wrong::Hangs) => std::future::pending().await,
            Some(Wrong::Says(status, body, pause)) => {
                let response = Response::builder().status(status);
                let response = match pause {
                    Some(pause) => response.header("Retry-After", pause),
                    None => response,
                };
                response.body(Full::from(body)).unwrap()
            }
            None => {
                let (status, body) = self.state.lock().unwrap().store.serve(&call);
                if writes {
                    self.deliver();
                }
                Response::builder().status(status).body(Full::from(body.to_string())).unwrap()
            }
        }
    }
}

struct UnderWay<'a> {
    fake: &'a Fake,
    object: Option<String>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let Some(object) = &self.object else { return };
        let under_way = &mut self.fake.state.lock().unwrap().under_way;
        if let Some(index) = under_way.iter().position(|one| one == object) {
            under_way.swap_remove(index);
        }
    }
}
