//! The identities of Isthmus itself. Servers, agents and operators live in the clusterset's trust domain; gateways and
//! workloads in their cluster's own.

use federation_model::{ClusterId, Namespace, ServerId, SpiffeId, TrustDomain};

/// What an identity is, by its domain and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// `/isthmus/server/<id>` in the clusterset's domain.
    Server(ServerId),
    /// `/isthmus/agent/<cluster>` in the clusterset's domain.
    Agent(ClusterId),
    /// `/isthmus/admin/<name>` in the clusterset's domain.
    Admin(String),
    /// `/isthmus/gateway` in a cluster's domain.
    Gateway,
    /// `/ns/<namespace>/sa/<account>` in a cluster's domain.
    Workload {
        /// Its namespace.
        namespace: Namespace,
        /// Its service account.
        account: String,
    },
    /// Anything else: authenticated, and nothing more.
    Other,
}

/// Reads the role of an identity. With a clusterset, control-plane roles exist only in its domain and data-plane roles
/// only outside it, so that no cluster's authority can make a server, an agent or an operator. Without one (a joiner
/// that knows no name yet) the path alone decides.
pub fn role(id: &SpiffeId, clusterset: Option<&TrustDomain>) -> Role {
    let inside = clusterset.is_none_or(|domain| domain == id.trust_domain());
    let outside = clusterset.is_none_or(|domain| domain != id.trust_domain());
    let segments: Vec<&str> = id.path().split('/').skip(1).collect();
    let found = match segments.as_slice() {
        ["isthmus", "server", number] if inside => server_number(number).map(Role::Server),
        ["isthmus", "agent", cluster] if inside => cluster.parse().ok().map(Role::Agent),
        ["isthmus", "admin", name] if inside => Some(Role::Admin((*name).to_owned())),
        ["isthmus", "gateway"] if outside => Some(Role::Gateway),
        ["ns", namespace, "sa", account] if outside => namespace
            .parse()
            .ok()
            .map(|namespace| Role::Workload { namespace, account: (*account).to_owned() }),
        _ => None,
    };
    found.unwrap_or(Role::Other)
}

/// One spelling per number: `07` is nobody.
fn server_number(text: &str) -> Option<ServerId> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(ServerId(number))
}

/// `spiffe://<clusterset>/isthmus/server/<id>`.
pub fn server_id(clusterset: &TrustDomain, id: ServerId) -> SpiffeId {
    known_good(format!("spiffe://{clusterset}/isthmus/server/{id}"))
}

/// `spiffe://<clusterset>/isthmus/agent/<cluster>`.
pub fn agent_id(clusterset: &TrustDomain, cluster: &ClusterId) -> SpiffeId {
    known_good(format!("spiffe://{clusterset}/isthmus/agent/{cluster}"))
}

/// `spiffe://<cluster's domain>/isthmus/gateway`.
pub fn gateway_id(domain: &TrustDomain) -> SpiffeId {
    known_good(format!("spiffe://{domain}/isthmus/gateway"))
}

/// `spiffe://<cluster's domain>/isthmus/agent`: the agent, as the gateways of its own cluster know it.
pub fn cluster_agent_id(domain: &TrustDomain) -> SpiffeId {
    known_good(format!("spiffe://{domain}/isthmus/agent"))
}

/// `spiffe://<clusterset>/isthmus/admin/<name>`. Unlike the others this takes a person's word for the name, so it can
/// fail.
pub fn admin_id(
    clusterset: &TrustDomain,
    name: &str,
) -> Result<SpiffeId, federation_model::spiffe_id::InvalidSpiffeId> {
    if name.contains('/') {
        return Err(federation_model::spiffe_id::InvalidSpiffeId::Segment);
    }
    format!("spiffe://{clusterset}/isthmus/admin/{name}").parse()
}

/// Domains, cluster ids and numbers are made of characters that a SPIFFE id allows, and are far shorter than one.
#[allow(clippy::expect_used, reason = "every part was validated by its own type")]
fn known_good(text: String) -> SpiffeId {
    text.parse().expect("a SPIFFE id made of validated parts is valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_belong_to_their_domain() {
        let lab: TrustDomain = "lab".parse().unwrap();
        let east: ClusterId = "east".parse().unwrap();
        let workload = Role::Workload { namespace: "demo".parse().unwrap(), account: "echo".to_owned() };
        let cases = [
            ("spiffe://lab/isthmus/server/7", Role::Server(ServerId(7)), Role::Server(ServerId(7))),
            ("spiffe://lab/isthmus/server/07", Role::Other, Role::Other),
            ("spiffe://east.lab/isthmus/server/7", Role::Other, Role::Server(ServerId(7))),
            ("spiffe://lab/isthmus/agent/east", Role::Agent(east.clone()), Role::Agent(east.clone())),
            ("spiffe://lab/isthmus/agent/EAST", Role::Other, Role::Other),
            ("spiffe://east.lab/isthmus/agent/east", Role::Other, Role::Agent(east)),
            ("spiffe://lab/isthmus/admin/ana", Role::Admin("ana".into()), Role::Admin("ana".into())),
            ("spiffe://east.lab/isthmus/admin/ana", Role::Other, Role::Admin("ana".into())),
            ("spiffe://east.lab/isthmus/gateway", Role::Gateway, Role::Gateway),
            ("spiffe://lab/isthmus/gateway", Role::Other, Role::Gateway),
            ("spiffe://east.lab/isthmus/gateway/x", Role::Other, Role::Other),
            ("spiffe://east.lab/ns/demo/sa/echo", workload.clone(), workload.clone()),
            ("spiffe://lab/ns/demo/sa/echo", Role::Other, workload),
            ("spiffe://east.lab/ns/demo/sa", Role::Other, Role::Other),
        ];
        for (text, with, without) in cases {
            let id: SpiffeId = text.parse().unwrap();
            assert_eq!(role(&id, Some(&lab)), with, "{text}");
            assert_eq!(role(&id, None), without, "{text}, no clusterset known");
        }
    }

    #[test]
    fn ids_are_read_back_as_the_role_they_were_made_for() {
        let lab: TrustDomain = "lab".parse().unwrap();
        let east: ClusterId = "east".parse().unwrap();
        assert_eq!(role(&server_id(&lab, ServerId(u64::MAX)), Some(&lab)), Role::Server(ServerId(u64::MAX)));
        assert_eq!(role(&agent_id(&lab, &east), Some(&lab)), Role::Agent(east));
        assert_eq!(role(&gateway_id(&"east.lab".parse().unwrap()), Some(&lab)), Role::Gateway);
        assert_eq!(role(&admin_id(&lab, "ana").unwrap(), Some(&lab)), Role::Admin("ana".into()));
        for wrong in ["", "a/b", "..", "ä"] {
            assert!(admin_id(&lab, wrong).is_err(), "{wrong}");
        }
    }
}
