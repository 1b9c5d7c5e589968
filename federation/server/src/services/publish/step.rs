//! One message of a publish stream, judged: a command, or a refusal. The certificate's cluster is put into every
//! command here; a message that names another is refused.

use federation_api::convert::registration::registration;
use federation_api::federation as wire;
use federation_api::federation::subject::Subject;
use federation_model::command::Registration;
use federation_model::{
    Bundle, ClusterId, Command, Export, Generation, InstanceId, Rejection, ServiceId, SessionNumber,
    TrustDomain,
};

use crate::limits::Exceeded;

/// For whom a stream speaks, once its session is open.
#[derive(Debug, Clone)]
pub(super) struct Speaker {
    pub(super) cluster: ClusterId,
    pub(super) instance: InstanceId,
    pub(super) session: SessionNumber,
}

/// What an answer is about.
#[derive(Debug)]
pub(super) struct About {
    pub(super) subject: Subject,
    pub(super) generation: u64,
}

/// Why something is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// Where a limit is the reason.
    pub(super) exceeded: Option<Exceeded>,
}

/// What a message comes to.
#[derive(Debug)]
pub(super) enum Step {
    /// Opens the stream's session, or says anew what opened it.
    Hello { about: About, registration: Registration },
    /// To be committed.
    Command { about: About, command: Command },
    /// Wrong in itself; the rest of the stream goes on.
    Refused { about: About, refusal: Refusal },
    /// To be compared with what is there.
    Offer(wire::Offer),
    /// The sync point.
    Sync,
}

/// The closed word for a message that cannot become a command.
const INVALID: &str = "invalid";

impl From<&Rejection> for Refusal {
    fn from(rejection: &Rejection) -> Self {
        Self { reason: rejection.reason(), message: rejection.to_string(), exceeded: None }
    }
}

impl From<Exceeded> for Refusal {
    fn from(exceeded: Exceeded) -> Self {
        let (reason, message) = (exceeded.quota.reason(), exceeded.to_string());
        Self { reason, message, exceeded: Some(exceeded) }
    }
}

impl Speaker {
    /// Takes back an export.
    pub(super) fn withdraw(&self, service: ServiceId, generation: Generation) -> Command {
        let Self { cluster, instance, session } = self.clone();
        Command::RemoveExport { cluster, instance, session, service, generation }
    }
}

impl Step {
    pub(super) fn command(&self) -> Option<&Command> {
        match self {
            Self::Command { command, .. } => Some(command),
            Self::Hello { .. } | Self::Refused { .. } | Self::Offer(_) | Self::Sync => None,
        }
    }

    fn of<E: std::error::Error + 'static>(about: About, command: Result<Command, E>) -> Self {
        match command {
            Ok(command) => Self::Command { about, command },
            Err(error) => Self::invalid(about, &error),
        }
    }

    fn invalid(about: About, error: &(dyn std::error::Error + 'static)) -> Self {
        let message = federation_kit::exit::chain(error).to_string();
        Self::Refused { about, refusal: Refusal { reason: INVALID, message, exceeded: None } }
    }

    fn rejected(about: About, rejection: &Rejection) -> Self {
        Self::Refused { about, refusal: Refusal::from(rejection) }
    }
}

pub(super) fn hello(cluster: &ClusterId, clusterset: &TrustDomain, hello: wire::Registration) -> Step {
    let echo = wire::Registration { instance: hello.instance.clone(), ..wire::Registration::default() };
    let about = About { subject: Subject::Hello(echo), generation: 0 };
    match registration(cluster.clone(), hello) {
        Ok(valid) if !may_claim(cluster, clusterset, &valid.trust_domain) => {
            let (cluster, trust_domain) = (cluster.clone(), valid.trust_domain);
            Step::rejected(about, &Rejection::NotOwner { cluster, trust_domain })
        }
        Ok(registration) => Step::Hello { about, registration },
        Err(error) => Step::invalid(about, &error),
    }
}

/// Whether `cluster` may call `domain` its own. Below the clusterset's name the last label names the owner; elsewhere
/// the first to come owns it, which every replica checks.
fn may_claim(cluster: &ClusterId, clusterset: &TrustDomain, domain: &TrustDomain) -> bool {
    if domain == clusterset {
        return false;
    }
    let below = domain.as_str().strip_suffix(clusterset.as_str()).and_then(|rest| rest.strip_suffix('.'));
    match below {
        None => true,
        Some(below) => below.rsplit('.').next() == Some(cluster.as_str()),
    }
}

pub(super) fn put(speaker: &Speaker, mut put: wire::Export) -> Step {
    let cluster = &speaker.cluster;
    let subject = Subject::Export(put.service.clone().unwrap_or_default());
    let about = About { subject, generation: put.generation };
    if !put.cluster.is_empty() && put.cluster != cluster.as_str() {
        let message = format!("cluster {cluster} may not export for another cluster");
        return Step::Refused {
            about,
            refusal: Refusal { reason: "foreign_cluster", message, exceeded: None },
        };
    }
    put.cluster = cluster.to_string();
    let (instance, session) = (speaker.instance.clone(), speaker.session);
    let export = Export::try_from(put).map(Box::new);
    Step::of(about, export.map(|export| Command::PutExport { instance, session, export }))
}

pub(super) fn remove(speaker: &Speaker, remove: wire::RemoveExport) -> Step {
    let service = remove.service.unwrap_or_default();
    let about = About { subject: Subject::Export(service.clone()), generation: remove.generation };
    let service = ServiceId::try_from(service);
    Step::of(about, service.map(|service| speaker.withdraw(service, Generation(remove.generation))))
}

pub(super) fn bundle(speaker: &Speaker, bundle: wire::Bundle) -> Step {
    let about = About { subject: Subject::Bundle(bundle.trust_domain.clone()), generation: 0 };
    let Speaker { cluster, instance, session } = speaker.clone();
    let bundle = Bundle::try_from(bundle);
    Step::of(about, bundle.map(|bundle| Command::PutBundle { cluster, instance, session, bundle }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_claims_its_own_name_or_one_outside_the_clusterset() {
        let cases = [
            ("east.lab", true),
            ("mesh.east.lab", true),
            ("west.lab", false),
            ("east.west.lab", false),
            ("lab", false),
            ("corp.example", true),
            ("eastlab", true),
            ("northeast.lab", false),
        ];
        let (east, lab) = ("east".parse().unwrap(), "lab".parse().unwrap());
        for (domain, allowed) in cases {
            assert_eq!(may_claim(&east, &lab, &domain.parse().unwrap()), allowed, "{domain}");
        }
    }

    #[test]
    fn an_export_for_another_cluster_is_refused_whatever_else_it_says() {
        let speaker = Speaker {
            cluster: "east".parse().unwrap(),
            instance: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            session: SessionNumber(1),
        };
        let foreign = wire::Export { cluster: "west".to_owned(), ..wire::Export::default() };
        let step = put(&speaker, foreign);
        assert!(
            matches!(&step, Step::Refused { refusal, .. } if refusal.reason == "foreign_cluster"),
            "{step:?}"
        );
        let step = put(&speaker, wire::Export::default());
        assert!(matches!(&step, Step::Refused { refusal, .. } if refusal.reason == "invalid"), "{step:?}");
    }
}
