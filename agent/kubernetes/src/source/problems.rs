//! What is wrong with the watches, as people are told.

use agent_plan::source_state::{Problem, Reason, Severity};
use federation_kit::exit::chain;

use super::kind::{ByKind, Kind};
use super::status::{Progress, WatchState};
use crate::connect::Trouble;
use crate::permissions;

/// One problem for each kind that has one. `stale` is told first: it says what the others lead to.
pub(super) fn of_watches(
    board: &ByKind<Progress>,
    discovery: Option<&Trouble>,
    stale: Option<String>,
) -> Vec<Problem> {
    let mut told = Vec::new();
    if let Some(message) = stale {
        told.push(Problem::of_object(Severity::Warning, Reason::Stale, "snapshot", message));
    }
    if let Some(trouble) = discovery {
        told.push(failed("the discovery of CRDs", trouble));
    }
    told.extend(board.iter().filter_map(|(kind, progress)| of_watch(kind, progress)));
    told
}

fn of_watch(kind: Kind, progress: &Progress) -> Option<Problem> {
    match (progress.state, &progress.trouble) {
        (WatchState::NotServed, _) => {
            let what = match kind {
                Kind::ServiceExports => {
                    "nothing can be exported, and what was exported is gone with its objects"
                }
                Kind::ServiceImports => "imports have no objects here; DNS and proxies have them still",
                _ => "the names of the cluster and of its clusterset are not written",
            };
            let message = format!(
                "the CRD {}.{} is not installed: {what}; install it from deploy/crds",
                kind.resource(),
                kind.group()
            );
            Some(Problem::of_object(Severity::Warning, Reason::NotServed, kind.plural(), message))
        }
        (WatchState::Denied, Some(Trouble::Forbidden { detail })) => {
            let rule = permissions::reading(kind.group(), kind.resource());
            let rule = rule.map_or_else(String::new, |rule| format!("get, list, watch of {rule}"));
            let message = format!("missing rule: {rule} ({detail})");
            Some(Problem::of_object(Severity::Error, Reason::Forbidden, kind.plural(), message))
        }
        (_, Some(trouble)) => Some(failed(kind.plural(), trouble)),
        (_, None) => None,
    }
}

fn failed(what: &str, trouble: &Trouble) -> Problem {
    // It asked for a little time, and will have it.
    let severity = if *trouble == Trouble::Busy { Severity::Warning } else { Severity::Error };
    let message = format!("what was known counts; {}", chain(trouble));
    Problem::of_object(severity, Reason::Unreachable, what, message)
}
