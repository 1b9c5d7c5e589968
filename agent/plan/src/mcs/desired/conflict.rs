//! The message of the condition `Conflict`: one pair of sentences for each conflict, in KEP-1645's words.

use std::fmt::Write;

use federation_model::export::{InternalTrafficPolicy, SessionAffinity};
use federation_model::import::Conflict;
use federation_model::{ClusterId, ExportKind, Import};

/// `Conflicting type. Using "ClusterSetIP" from oldest service export in "east". 1/2 clusters disagree.`, and so on.
pub(super) fn message(import: &Import, own: &ClusterId) -> String {
    let oldest = import.oldest().unwrap_or(own);
    let all = import.exporters.len();
    let mut message = String::new();
    for (conflict, disagree) in &import.conflicts {
        let (what, using) = words(*conflict, import);
        let from = match conflict {
            Conflict::IPFamilyConflict => using,
            _ => format!("{using} from oldest service export in \"{oldest}\""),
        };
        let gap = if message.is_empty() { "" } else { " " };
        let _ = write!(
            message,
            "{gap}Conflicting {what}. Using {from}. {}/{all} clusters disagree.",
            disagree.len()
        );
    }
    message
}

fn words(conflict: Conflict, import: &Import) -> (&'static str, String) {
    let quoted = |text: &str| format!("\"{text}\"");
    match conflict {
        Conflict::PortConflict => {
            ("ports", "all of them, and where they exclude each other those".to_owned())
        }
        Conflict::TypeConflict => (
            "type",
            quoted(match import.kind {
                ExportKind::ClusterSetIp => "ClusterSetIP",
                ExportKind::Headless => "Headless",
            }),
        ),
        Conflict::SessionAffinityConflict => (
            "session affinity",
            quoted(match import.session_affinity {
                SessionAffinity::None => "None",
                SessionAffinity::ClientIp { .. } => "ClientIP",
            }),
        ),
        Conflict::SessionAffinityConfigConflict => {
            let seconds = match import.session_affinity {
                SessionAffinity::None => 0,
                SessionAffinity::ClientIp { timeout_seconds } => timeout_seconds,
            };
            ("session affinity config", format!("a timeout of {seconds} seconds"))
        }
        Conflict::AnnotationsConflict => ("annotations", "those".to_owned()),
        Conflict::LabelsConflict => ("labels", "those".to_owned()),
        Conflict::InternalTrafficPolicyConflict => (
            "internal traffic policy",
            quoted(match import.internal_traffic_policy {
                InternalTrafficPolicy::Cluster => "Cluster",
                InternalTrafficPolicy::Local => "Local",
            }),
        ),
        Conflict::TrafficDistributionConflict => {
            let value = import.traffic_distribution.as_deref();
            ("traffic distribution", value.map_or_else(|| "none".to_owned(), quoted))
        }
        Conflict::IPFamilyConflict => (
            "IP families",
            "all of them, so that a client of one family reaches only some endpoints".to_owned(),
        ),
    }
}
