//! Who may call what: every call of every port, by every kind of caller, against real servers over TLS.
//!
//! [`CALLS`] must name exactly the calls that the protos define.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test may panic")]
#![allow(dead_code, reason = "the harness has more than is needed here")]

#[path = "federation/harness.rs"]
mod harness;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use federation_kit::testing::eventually;
use federation_model::{ServerId, SpiffeId, TrustDomain};
use federation_trust::csr::verified_key;
use federation_trust::{Authority, Identity, Lifetime, PrivateKey, SharedIdentity, infra};
use harness::{Federation, LONG, lifetime};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    Anyone,
    Agents,
    Admins,
    Servers,
}

/// What a caller that is let in hears of an empty message, which means nothing to most calls.
type Inside = Option<(Code, &'static str)>;

const INVALID: Code = Code::InvalidArgument;

/// Every call, who may make it, and what they hear.
const CALLS: &[(&str, May, Inside)] = &[
    ("isthmus.federation.v1.Federation/Join", May::Anyone, Some((INVALID, "bad_cluster"))),
    ("isthmus.federation.v1.Federation/Renew", May::Agents, Some((INVALID, "bad_csr"))),
    ("isthmus.federation.v1.Federation/Publish", May::Agents, Some((INVALID, "invalid"))),
    ("isthmus.federation.v1.Federation/Watch", May::Agents, None),
    ("isthmus.federation.v1.Federation/Report", May::Agents, Some((INVALID, "invalid"))),
    ("isthmus.federation.v1.Admin/Status", May::Admins, None),
    ("isthmus.federation.v1.Admin/Members", May::Admins, None),
    ("isthmus.federation.v1.Admin/AddMember", May::Admins, Some((INVALID, "bad_address"))),
    ("isthmus.federation.v1.Admin/PromoteMember", May::Admins, Some((Code::NotFound, "not_a_member"))),
    ("isthmus.federation.v1.Admin/RemoveMember", May::Admins, Some((Code::NotFound, "not_a_member"))),
    ("isthmus.federation.v1.Admin/TransferLeadership", May::Admins, None),
    ("isthmus.federation.v1.Admin/CreateToken", May::Admins, Some((INVALID, "bad_cluster"))),
    ("isthmus.federation.v1.Admin/Catalog", May::Admins, None),
    ("isthmus.federation.v1.Admin/Audit", May::Admins, None),
    ("isthmus.federation.v1.Admin/Backup", May::Admins, None),
    ("isthmus.raft.v1.Raft/AppendEntries", May::Servers, Some((INVALID, ""))),
    ("isthmus.raft.v1.Raft/Vote", May::Servers, Some((INVALID, ""))),
    ("isthmus.raft.v1.Raft/InstallSnapshot", May::Servers, Some((INVALID, ""))),
    ("isthmus.raft.v1.Raft/Propose", May::Servers, Some((INVALID, ""))),
    ("isthmus.raft.v1.Raft/About", May::Servers, Some((INVALID, ""))),
    ("isthmus.raft.v1.Raft/Manage", May::Servers, Some((INVALID, ""))),
    ("isthmus.raft.v1.Raft/TakeOver", May::Servers, Some((INVALID, ""))),
];

/// Every kind of caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Nobody,
    Agent,
    AgentOfAnother,
    Gateway,
    Workload,
    Admin,
    Server,
    ForeignAuthority,
    Expired,
    OtherClusterset,
}

const CALLERS: [Caller; 10] = [
    Caller::Nobody,
    Caller::Agent,
    Caller::AgentOfAnother,
    Caller::Gateway,
    Caller::Workload,
    Caller::Admin,
    Caller::Server,
    Caller::ForeignAuthority,
    Caller::Expired,
    Caller::OtherClusterset,
];

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    LetIn,
    /// By the call, with a reason that is counted.
    Refused(Code, &'static str),
    /// By the handshake, for a reason that is counted.
    NoHandshake(&'static str),
}

fn expected(may: May, caller: Caller) -> Outcome {
    use Outcome::{LetIn, NoHandshake, Refused};
    match (caller, may) {
        // Whoever is of no trust domain that is known here, or not any more, does not get through to any call.
        (
            Caller::Gateway
            | Caller::Workload
            | Caller::ForeignAuthority
            | Caller::Expired
            | Caller::OtherClusterset,
            _,
        ) => NoHandshake("bad_certificate"),
        (Caller::Server, May::Servers) => LetIn,
        (Caller::Nobody, May::Servers) => NoHandshake("no_certificate"),
        (_, May::Servers) => NoHandshake("not_authorized"),
        (_, May::Anyone) => LetIn,
        (Caller::Nobody, _) => Refused(Code::Unauthenticated, "no_certificate"),
        (Caller::Agent | Caller::AgentOfAnother, May::Agents) | (Caller::Admin, May::Admins) => LetIn,
        (_, May::Agents) => Refused(Code::PermissionDenied, "not_an_agent"),
        (_, May::Admins) => Refused(Code::PermissionDenied, "not_an_admin"),
    }
}

fn issued(authority: &Authority, id: &SpiffeId, lifetime: Lifetime) -> SharedIdentity {
    let key = PrivateKey::generate().unwrap();
    let csr = verified_key(&key.csr().unwrap().0).unwrap();
    SharedIdentity::new(Identity::new(authority.issue(&csr, id, lifetime).unwrap(), &key).unwrap())
}

fn identity(federation: &Federation, caller: Caller) -> Option<SharedIdentity> {
    let ours = &federation.clusterset;
    let agent =
        |clusterset: &TrustDomain, cluster: &str| infra::agent_id(clusterset, &cluster.parse().unwrap());
    let by_itself = |domain: &str, id: &dyn Fn(&TrustDomain) -> SpiffeId| {
        let domain: TrustDomain = domain.parse().unwrap();
        Some(issued(&Authority::create(&domain, lifetime()).unwrap(), &id(&domain), lifetime()))
    };
    match caller {
        Caller::Nobody => None,
        Caller::Agent => Some(federation.identity(&agent(ours, "east"))),
        Caller::AgentOfAnother => Some(federation.identity(&agent(ours, "west"))),
        Caller::Gateway => by_itself("east.lab", &infra::gateway_id),
        Caller::Workload => by_itself("east.lab", &|_| "spiffe://east.lab/ns/demo/sa/echo".parse().unwrap()),
        Caller::Admin => Some(federation.identity(&infra::admin_id(ours, "ana").unwrap())),
        Caller::Server => Some(federation.identity(&infra::server_id(ours, ServerId(2)))),
        Caller::ForeignAuthority => by_itself("lab", &|domain| agent(domain, "east")),
        Caller::OtherClusterset => by_itself("prod", &|domain| agent(domain, "east")),
        Caller::Expired => {
            let ended = Lifetime::starting_at(SystemTime::now() - Duration::from_secs(30), Duration::ZERO);
            Some(issued(&federation.authority, &agent(ours, "east"), ended))
        }
    }
}

/// Makes any call with one empty message, and hears the first answer: at this level all kinds of calls are alike.
async fn call(channel: Channel, method: &str) -> Result<(), Status> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::try_from(format!("/{method}")).unwrap();
    let one = futures::stream::iter([()]);
    let mut answers =
        grpc.streaming(Request::new(one), path, ProstCodec::<(), ()>::default()).await?.into_inner();
    answers.message().await.map(|_| ())
}

fn reason(status: &Status) -> &str {
    status.metadata().get("isthmus-reason").map_or("", |value| value.to_str().unwrap())
}

/// The value of a counter on the metrics page.
async fn counted(page: &str, name: &str, reason: &str) -> u64 {
    let text = reqwest::get(page).await.unwrap().text().await.unwrap();
    let start = format!("{name}_total{{reason=\"{reason}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&start)).map_or(0, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_open_to_whom_it_should_be_and_to_nobody_else() {
    let federation = Federation::start().await;
    let server = &federation.servers[0];
    let page = format!("http://{}/metrics", server.http);
    let raft = server.node.status().members.into_iter().find(|m| m.id == server.id).unwrap().member.raft;
    for caller in CALLERS {
        let identity = identity(&federation, caller);
        for (method, may, inside) in CALLS {
            let (address, port) = match may {
                May::Servers => (&raft, "raft"),
                _ => (&server.api, "api"),
            };
            let handshakes = format!("isthmus_{port}_tls_handshake_failures");
            let outcome = expected(*may, caller);
            let before = match outcome {
                Outcome::LetIn => 0,
                Outcome::Refused(_, reason) => server.metrics.refused(reason),
                Outcome::NoHandshake(reason) => counted(&page, &handshakes, reason).await,
            };
            let heard = call(federation.channel_to(address, identity.clone()), method).await;
            let told = heard.as_ref().err().map(|status| (status.code(), reason(status)));
            let case = format!("{caller:?} calls {method}: {heard:?}");
            match outcome {
                Outcome::LetIn => assert_eq!(told, *inside, "{case}"),
                Outcome::Refused(code, reason) => {
                    assert_eq!(told, Some((code, reason)), "{case}");
                    assert_eq!(server.metrics.refused(reason), before + 1, "{case}");
                }
                Outcome::NoHandshake(reason) => {
                    // In TLS 1.3 the dialler is done before it is refused, and hears of it in its first call.
                    let broken = [Code::Unavailable, Code::Cancelled, Code::Unknown];
                    assert!(told.is_some_and(|(code, _)| broken.contains(&code)), "{case}");
                    let more = async || counted(&page, &handshakes, reason).await > before;
                    eventually(LONG, more).await.unwrap();
                }
            }
        }
    }
    federation.stop().await;
}

#[test]
fn the_table_names_every_call_of_the_protos() {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/proto");
    let mut compiler = protox::Compiler::new([&protos]).unwrap();
    compiler.include_imports(true);
    for file in ["federation/v1/federation.proto", "federation/v1/admin.proto", "raft/v1/raft.proto"] {
        compiler.open_file(format!("isthmus/{file}")).unwrap();
    }
    let mut defined = BTreeSet::new();
    for file in compiler.file_descriptor_set().file {
        for service in &file.service {
            for method in &service.method {
                defined.insert(format!("{}.{}/{}", file.package(), service.name(), method.name()));
            }
        }
    }
    let named: BTreeSet<String> = CALLS.iter().map(|(method, ..)| (*method).to_owned()).collect();
    assert_eq!(named, defined);
    assert_eq!(named.len(), CALLS.len(), "a call is named twice");
}
