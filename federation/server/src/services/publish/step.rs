//! One message of a publish stream, judged: a command, or a refusal. The certificate's cluster is put into every
//! command here; a message that names another is refused.

use federation_api::convert::registration::registration;
use federation_api::federation as wire;
use federation_api::federation::subject::Subject;
use federation_model::{
    Bundle, ClusterId, Command, Export, Generation, InstanceId, Rejection, ServiceId, TrustDomain,
};

/// What an answer is about.
#[derive(Debug)]
pub(super) struct About {
    pub(super) subject: Subject,
    pub(super) generation: u64,
}

/// What a message comes to.
#[derive(Debug)]
pub(super) enum Step {
    /// To be committed.
    Command { about: About, command: Command },
    /// Wrong in itself; the rest of the stream goes on.
    Refused { about: About, reason: &'static str, message: String },
    /// The sync point.
    Sync,
}

/// The closed word for a message that cannot become a command.
const INVALID: &str = "invalid";

impl Step {
    pub(super) fn command(&self) -> Option<&Command> {
        match self {
            Self::Command { command, .. } => Some(command),
            Self::Refused { .. } | Self::Sync => None,
        }
    }

    fn of<E: std::error::Error + 'static>(about: About, command: Result<Command, E>) -> Self {
        match command {
            Ok(command) => Self::Command { about, command },
            Err(error) => {
                let message = federation_kit::exit::chain(&error).to_string();
                Self::Refused { about, reason: INVALID, message }
            }
        }
    }

    fn rejected(about: About, rejection: &Rejection) -> Self {
        Self::Refused { about, reason: rejection.reason(), message: rejection.to_string() }
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
        converted => Step::of(about, converted.map(Command::RegisterCluster)),
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

pub(super) fn put(cluster: &ClusterId, instance: &InstanceId, mut put: wire::Export) -> Step {
    let subject = Subject::Export(put.service.clone().unwrap_or_default());
    let about = About { subject, generation: put.generation };
    if !put.cluster.is_empty() && put.cluster != cluster.as_str() {
        let message = format!("cluster {cluster} may not export for another cluster");
        return Step::Refused { about, reason: "foreign_cluster", message };
    }
    put.cluster = cluster.to_string();
    let instance = instance.clone();
    let export = Export::try_from(put).map(Box::new);
    Step::of(about, export.map(|export| Command::PutExport { instance, export }))
}

pub(super) fn remove(cluster: &ClusterId, instance: &InstanceId, remove: wire::RemoveExport) -> Step {
    let service = remove.service.unwrap_or_default();
    let about = About { subject: Subject::Export(service.clone()), generation: remove.generation };
    let service = ServiceId::try_from(service);
    Step::of(
        about,
        service.map(|service| Command::RemoveExport {
            cluster: cluster.clone(),
            instance: instance.clone(),
            service,
            generation: Generation(remove.generation),
        }),
    )
}

pub(super) fn bundle(cluster: &ClusterId, instance: &InstanceId, bundle: wire::Bundle) -> Step {
    let about = About { subject: Subject::Bundle(bundle.trust_domain.clone()), generation: 0 };
    let (cluster, instance) = (cluster.clone(), instance.clone());
    Step::of(about, Bundle::try_from(bundle).map(|bundle| Command::PutBundle { cluster, instance, bundle }))
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
        let instance = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let foreign = wire::Export { cluster: "west".to_owned(), ..wire::Export::default() };
        let step = put(&"east".parse().unwrap(), &instance, foreign);
        assert!(matches!(step, Step::Refused { reason: "foreign_cluster", .. }), "{step:?}");
        let step = put(&"east".parse().unwrap(), &instance, wire::Export::default());
        assert!(matches!(step, Step::Refused { reason: "invalid", .. }), "{step:?}");
    }
}
