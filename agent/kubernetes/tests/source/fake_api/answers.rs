//! How the fake answers.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Response, StatusCode, Uri};
use axum::response::IntoResponse;
use futures::stream;
use serde_json::{Value, json};

use super::store::line;
use super::{EXPORTS, FakeApi, Fault, IMPORTS, NAMESPACES, NODES, OLD_EXPORTS, PROPERTIES, SERVICES, SLICES};

pub(super) async fn answer(State(api): State<FakeApi>, uri: Uri) -> Response<Body> {
    let path = uri.path().to_owned();
    let query = query(uri.query().unwrap_or_default());
    let fault = {
        let mut shared = api.shared.lock().unwrap();
        shared.requests.push(uri.to_string());
        let once = shared.faults.get_mut(&path).and_then(|faults| faults.pop_front());
        once.or_else(|| shared.always.get(&path).cloned())
    };
    match fault {
        Some(Fault::Status(code, wish)) => status(code, wish),
        Some(Fault::Stream(text)) => Response::new(Body::from(text)),
        None => serve(&api, &path, &query),
    }
}

fn serve(api: &FakeApi, path: &str, query: &BTreeMap<String, String>) -> Response<Body> {
    let shared = api.shared.lock().unwrap();
    if let Some(group) = path.strip_prefix("/apis/").filter(|rest| rest.matches('/').count() == 1) {
        let prefix = format!("/apis/{group}/");
        let names = shared.served.iter().filter_map(|served| served.strip_prefix(&prefix));
        let resources: Vec<Value> = names.map(|name| json!({"name": name})).collect();
        if resources.is_empty() {
            return status(404, None);
        }
        return Response::new(Body::from(json!({"resources": resources}).to_string()));
    }
    let fixed = [NAMESPACES, SERVICES, SLICES, NODES].contains(&path);
    let custom = [EXPORTS, IMPORTS, PROPERTIES, OLD_EXPORTS].contains(&path);
    if !(fixed || custom && shared.served.contains(&path)) {
        return status(404, None);
    }
    if !query.contains_key("watch") {
        let all = shared.store.list(path);
        let from: usize = query.get("continue").map_or(0, |token| token.parse().unwrap());
        let limit = query.get("limit").map_or(usize::MAX, |limit| limit.parse().unwrap()).min(shared.page);
        let more = all.len() > from.saturating_add(limit);
        let token = if more { (from + limit).to_string() } else { String::new() };
        let items: Vec<Value> = all.into_iter().skip(from).take(limit).collect();
        let version = shared.store.version.to_string();
        let list = json!({"metadata": {"resourceVersion": version, "continue": token}, "items": items});
        return Response::new(Body::from(list.to_string()));
    }
    let initial = query.contains_key("sendInitialEvents");
    if initial && !shared.streaming {
        return status(422, None);
    }
    let mut lines = Vec::new();
    let version = if initial {
        lines.extend(shared.store.list(path).iter().map(|object| line("ADDED", object)));
        let end = json!({"metadata": {"resourceVersion": shared.store.version.to_string(),
                                      "annotations": {"k8s.io/initial-events-end": "true"}}});
        lines.push(line("BOOKMARK", &end));
        shared.store.version
    } else {
        let version = query.get("resourceVersion").map_or(0, |version| version.parse().unwrap());
        if version < shared.store.oldest {
            return status(410, None);
        }
        version
    };
    watch(api.clone(), path.to_owned(), lines, version)
}

/// A stream of lines that follows the store until it is cut.
fn watch(api: FakeApi, path: String, first: Vec<String>, version: u64) -> Response<Body> {
    let changes = api.changed.subscribe();
    let cut = changes.borrow().1;
    let lines = stream::unfold((api, path, first, version, changes), move |state| async move {
        let (api, path, mut lines, mut version, mut changes) = state;
        while lines.is_empty() {
            if changes.borrow_and_update().1 != cut {
                return None;
            }
            (lines, version) = api.shared.lock().unwrap().store.since(&path, version);
            if lines.is_empty() {
                changes.changed().await.ok()?;
            }
        }
        let text = lines.concat();
        Some((Ok::<_, std::io::Error>(Bytes::from(text)), (api, path, Vec::new(), version, changes)))
    });
    Response::new(Body::from_stream(lines))
}

fn status(code: u16, retry_after: Option<u64>) -> Response<Body> {
    let body = json!({"kind": "Status", "code": code, "message": format!("the fake says {code}")});
    let mut answer = (StatusCode::from_u16(code).unwrap(), body.to_string()).into_response();
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert("retry-after", seconds.into());
    }
    answer
}

fn query(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
