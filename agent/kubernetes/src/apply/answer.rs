//! What an answer of the API server means for a write.

use std::error::Error as _;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

use super::target::Part;
use crate::call::{Answer, CallError, truncate};

/// How a write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is done.
    Done(Written),
    /// 409: the object is not the one, or not as, that was seen; or somebody was faster.
    Conflict,
    /// 403 by RBAC.
    Forbidden {
        /// The missing verb, in the API server's words.
        verb: String,
    },
    /// The API server will not have it as it is: 422, an admission webhook, a quota. Asking again alone is no use; for
    /// `later` it may be after a while.
    Refused {
        /// In the API server's words.
        message: String,
        /// Whether it depends on more than the content.
        later: bool,
    },
    /// Its namespace is on its way out, or it is gone already.
    Gone,
    /// The API server knows no such kind.
    NoSuchKind,
    /// 429 or 503, and how long to leave it alone, if that was said.
    Overloaded(Option<Duration>),
    /// Another 5xx, or no answer.
    Failed(String),
}

/// What the API server has now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Written {
    pub(super) uid: String,
    pub(super) resource_version: String,
    pub(super) generation: i64,
}

#[derive(Deserialize)]
struct Object {
    metadata: Written,
}

/// Judges an answer to a write of `part`.
pub(super) fn judge(part: Part, answer: Result<Answer, CallError>) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error @ CallError::Path(_)) => return Outcome::Refused { message: chain(&error), later: false },
        Err(error) => return Outcome::Failed(chain(&error)),
    };
    match answer.status {
        // A deletion is answered with the object or with a Status; either way it is on its way.
        status if status.is_success() && part == Part::deletion => Outcome::Done(Written::default()),
        status if status.is_success() => match answer.object::<Object>() {
            Ok(object) => Outcome::Done(object.metadata),
            Err(error) => Outcome::Failed(chain(&error)),
        },
        StatusCode::NOT_FOUND => not_found(part, &answer),
        StatusCode::CONFLICT => Outcome::Conflict,
        StatusCode::FORBIDDEN => forbidden(&answer),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Outcome::Overloaded(answer.pause())
        }
        // Our credentials are being replaced, or the API server's authentication is not up yet.
        StatusCode::UNAUTHORIZED | StatusCode::REQUEST_TIMEOUT => Outcome::Failed(answer.refusal().message),
        status if status.is_client_error() => {
            Outcome::Refused { message: answer.refusal().message, later: false }
        }
        _ => Outcome::Failed(answer.refusal().message),
    }
}

fn not_found(part: Part, answer: &Answer) -> Outcome {
    let refusal = answer.refusal();
    if refusal.names_a_namespace() {
        return Outcome::Gone;
    }
    match (part, refusal.names_an_object()) {
        (Part::deletion, _) => Outcome::Done(Written::default()),
        (_, true) => Outcome::Gone,
        (_, false) => Outcome::NoSuchKind,
    }
}

/// 403 has three meanings: RBAC, a namespace that is terminating, and admission (quotas, webhooks).
fn forbidden(answer: &Answer) -> Outcome {
    let refusal = answer.refusal();
    if refusal.namespace_terminating() {
        return Outcome::Gone;
    }
    let verb = refusal.message.split_once(" cannot ").and_then(|(_, rest)| rest.split_once(" resource "));
    match verb {
        Some((verb, _)) => {
            let mut verb = verb.to_owned();
            truncate(&mut verb, 32);
            Outcome::Forbidden { verb }
        }
        None => Outcome::Refused { message: refusal.message, later: true },
    }
}

fn chain(error: &CallError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    truncate(&mut text, 512);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(part: Part, status: u16, body: &str) -> Outcome {
        let body = body.as_bytes().to_vec().into();
        judge(part, Ok(Answer { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body }))
    }

    #[test]
    fn every_refusal_of_a_real_api_server_is_told_apart() {
        let rbac = r#"{"message":"services \"x\" is forbidden: User \"a\" cannot patch resource \"services\" in API group \"\" in the namespace \"n\"","reason":"Forbidden"}"#;
        assert_eq!(outcome(Part::object, 403, rbac), Outcome::Forbidden { verb: "patch".into() });
        let dying = r#"{"message":"forbidden: unable to create new content in namespace n because it is being terminated","details":{"causes":[{"reason":"NamespaceTerminating"}]}}"#;
        assert_eq!(outcome(Part::object, 403, dying), Outcome::Gone);
        let quota = r#"{"message":"services \"x\" is forbidden: exceeded quota: q"}"#;
        assert!(matches!(outcome(Part::object, 403, quota), Outcome::Refused { later: true, .. }));
        assert_eq!(outcome(Part::object, 404, "404 page not found\n"), Outcome::NoSuchKind);
        let gone = r#"{"message":"serviceimports.multicluster.x-k8s.io \"x\" not found","details":{"name":"x","kind":"serviceimports"}}"#;
        assert_eq!(outcome(Part::status, 404, gone), Outcome::Gone);
        assert_eq!(outcome(Part::deletion, 404, gone), Outcome::Done(Written::default()));
        let invalid = r#"{"message":"ServiceImport is invalid: spec.ports: Required","reason":"Invalid"}"#;
        assert!(matches!(outcome(Part::object, 422, invalid), Outcome::Refused { later: false, .. }));
        let slow = r#"{"details":{"retryAfterSeconds":3}}"#;
        assert_eq!(outcome(Part::object, 429, slow), Outcome::Overloaded(Some(Duration::from_secs(3))));
        assert!(matches!(outcome(Part::object, 500, "oops"), Outcome::Failed(_)));
    }

    #[test]
    fn what_was_written_is_read_from_the_metadata() {
        let body = r#"{"metadata":{"uid":"u","resourceVersion":"7","generation":2,"managedFields":[]}}"#;
        let written = Written { uid: "u".into(), resource_version: "7".into(), generation: 2 };
        assert_eq!(outcome(Part::object, 201, body), Outcome::Done(written));
        assert!(matches!(outcome(Part::object, 200, "{"), Outcome::Failed(_)));
    }
}
