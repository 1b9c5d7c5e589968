//! Laws of `State::apply` over any sequence of commands: the invariants hold after every step, the result depends on
//! nothing but the entries, a refusal changes nothing, and a state survives being written and read.
//!
//! Names are drawn from small pools so that commands meet each other's traces.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of tests fail by panicking, too"
)]

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;

use federation_model::bundle::AuthorityDer;
use federation_model::command::Registration;
use federation_model::export::{Locality, Protocol, SessionAffinity};
use federation_model::token::KeyHash;
use federation_model::*;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

fn cluster() -> impl Strategy<Value = ClusterId> {
    select(vec!["east", "south", "west"]).prop_map(|name| name.parse().unwrap())
}

fn trust_domain() -> impl Strategy<Value = TrustDomain> {
    select(vec!["east.lab", "south.lab", "west.lab", "new.lab"]).prop_map(|name| name.parse().unwrap())
}

fn instance() -> impl Strategy<Value = InstanceId> {
    // Mostly the same agent: otherwise nearly every command would be refused for its lease.
    prop_oneof![9 => Just(1), 1 => Just(2)].prop_map(|n: u8| format!("{n:032x}").parse().unwrap())
}

fn service() -> impl Strategy<Value = ServiceId> {
    select(vec!["demo/a", "demo/b", "demo/c", "other/a"]).prop_map(|name| name.parse().unwrap())
}

fn export() -> impl Strategy<Value = Export> {
    let scope =
        prop_oneof![Just(ExportScope::All), btree_set(cluster(), 0..3).prop_map(ExportScope::Clusters),];
    let kind = prop_oneof![4 => Just(ExportKind::ClusterSetIp), 1 => Just(ExportKind::Headless)];
    // One export in sixteen has too many ports.
    let ports = prop_oneof![15 => 0..3usize, 1 => Just(200)];
    (cluster(), service(), 0..6u64, kind, scope, ports, 0..3u32).prop_map(
        |(cluster, service, generation, kind, scope, ports, ready)| Export {
            cluster,
            service,
            first_seen: UnixMillis(generation),
            generation: Generation(generation),
            kind,
            ports: (1..=ports).map(|port| tcp(u16::try_from(port).unwrap())).collect(),
            session_affinity: SessionAffinity::None,
            internal_traffic_policy: Default::default(),
            traffic_distribution: None,
            ip_families: Default::default(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            scope,
            mtls: MtlsMode::Gateway,
            localities: vec![Locality { zone: None, ready, total: 2 }],
            endpoints: Vec::new(),
        },
    )
}

fn tcp(port: u16) -> ServicePort {
    ServicePort {
        name: Some(format!("p{port}").parse().unwrap()),
        protocol: Protocol::Tcp,
        app_protocol: None,
        port: NonZeroU16::new(port).unwrap(),
    }
}

fn registration() -> impl Strategy<Value = Command> {
    // Mostly each cluster's own domain, sometimes any.
    let own = cluster().prop_map(|c| (format!("{c}.lab").parse().unwrap(), c)).boxed();
    let any = (trust_domain(), cluster()).boxed();
    let said = (prop_oneof![4 => own, 1 => any], instance())
        .prop_map(|((trust_domain, cluster), instance)| Registration {
            network: cluster.as_str().parse().unwrap(),
            cluster,
            instance,
            region: None,
            zone: None,
            trust_domain,
            gateways: Vec::new(),
        })
        .boxed();
    let before = said.clone().prop_map(Command::RegisterCluster);
    let open = (session(), 0..3u64, said).prop_map(|(session, stream, registration)| Command::OpenSession {
        session,
        stream: StreamId(stream),
        hello: 0,
        registration,
    });
    prop_oneof![3 => before, 1 => open]
}

fn session() -> impl Strategy<Value = SessionNumber> {
    prop_oneof![4 => Just(0), 4 => Just(1), 1 => Just(2)].prop_map(SessionNumber)
}

fn vip_ranges() -> impl Strategy<Value = VipRanges> {
    // 0, 2, 6 and many addresses.
    select(vec!["10.0.0.0/31", "10.0.0.0/30", "10.0.0.0/29", "10.0.0.0/16"])
        .prop_map(|v4| VipRanges { v4: v4.parse().unwrap(), ..VipRanges::DEFAULT })
}

fn token_hash() -> impl Strategy<Value = TokenHash> {
    (0..3u8).prop_map(|n| TokenHash([n; 32]))
}

fn bundle() -> impl Strategy<Value = Bundle> {
    (trust_domain(), 0..20usize, 0..5u64).prop_map(|(trust_domain, authorities, sequence)| Bundle {
        trust_domain,
        authorities: vec![AuthorityDer(vec![0]); authorities],
        sequence,
        refresh_hint: 60,
    })
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => vip_ranges().prop_map(|vips| Command::Configure { vips }),
        6 => registration(),
        2 => (cluster(), instance()).prop_map(|(cluster, instance)| Command::RenewLease { cluster, instance }),
        1 => Just(Command::ExpireLeases),
        8 => (instance(), session(), export()).prop_map(|(instance, session, export)| {
            Command::PutExport { instance, session, export: Box::new(export) }
        }),
        3 => (cluster(), instance(), session(), service(), 0..6u64).prop_map(
            |(cluster, instance, session, service, generation)| {
                let generation = Generation(generation);
                Command::RemoveExport { cluster, instance, session, service, generation }
            }
        ),
        3 => (cluster(), instance(), session(), bundle()).prop_map(|(cluster, instance, session, bundle)| {
            Command::PutBundle { cluster, instance, session, bundle }
        }),
        1 => (token_hash(), cluster(), 0..60_000u64).prop_map(|(hash, cluster, expires)| {
            Command::CreateToken { hash, cluster, expires: UnixMillis(expires), by: None }
        }),
        2 => (token_hash(), cluster(), 0..3u8).prop_map(|(hash, cluster, key)| {
            Command::RedeemToken { hash, cluster, key: KeyHash([key; 32]) }
        }),
    ]
}

/// Any times: leaders change, and their clocks differ.
fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let batch = (0..60_000u64, vec(command(), 0..4))
        .prop_map(|(at, commands)| Batch { at: UnixMillis(at), commands });
    vec(batch, 1..40)
}

fn revisions() -> impl Iterator<Item = Revision> {
    (1..).map(Revision)
}

proptest! {
    #[test]
    fn no_law_is_ever_broken(batches in batches()) {
        let mut state = State::default();
        for (revision, batch) in revisions().zip(&batches) {
            let before = state.now();
            let applied = state.apply(revision, batch);
            prop_assert!(state.now() >= before.max(batch.at));
            prop_assert_eq!(applied.outcomes.len(), batch.commands.len());
            prop_assert_eq!(state.revision(), revision);
            prop_assert_eq!(state.violations(), Vec::<String>::new());
        }
    }

    #[test]
    fn the_same_entries_give_the_same_state_and_answers(batches in batches()) {
        let (mut one, mut other) = (State::default(), State::default());
        for (revision, batch) in revisions().zip(&batches) {
            prop_assert_eq!(one.apply(revision, batch), other.apply(revision, batch));
        }
        prop_assert_eq!(one, other);
    }

    #[test]
    fn a_server_that_starts_from_a_snapshot_goes_on_as_the_others(
        batches in batches(),
        cut in any::<prop::sample::Index>(),
    ) {
        let cut = cut.index(batches.len());
        let mut whole = State::default();
        let mut resumed = State::default();
        for (at, (revision, batch)) in revisions().zip(&batches).enumerate() {
            if at == cut {
                let written = serde_json::to_string(&whole).unwrap();
                resumed = serde_json::from_str(&written).unwrap();
                prop_assert_eq!(&resumed, &whole);
            }
            let applied = whole.apply(revision, batch);
            if at >= cut {
                prop_assert_eq!(resumed.apply(revision, batch), applied);
            }
        }
        prop_assert_eq!(resumed, whole);
    }

    #[test]
    fn a_rejected_command_changes_nothing_but_the_revision(batches in batches(), last in command()) {
        let mut state = State::default();
        let mut now = UnixMillis(0);
        for (revision, batch) in revisions().zip(&batches) {
            state.apply(revision, batch);
            now = batch.at;
        }
        let before = state.clone();
        let next = Revision(before.revision().0 + 1);
        let applied = state.apply(next, &Batch { at: now, commands: vec![last] });
        if applied.outcomes.iter().all(Result::is_err) {
            prop_assert_eq!(applied.changed, vec![]);
            let mut moved = before;
            moved.skip_to(next);
            prop_assert_eq!(state, moved);
        }
    }

    #[test]
    fn a_vip_once_given_never_moves(batches in batches()) {
        let mut state = State::default();
        let mut given: BTreeMap<ServiceId, Vip> = BTreeMap::new();
        for (revision, batch) in revisions().zip(&batches) {
            state.apply(revision, batch);
            for (service, vip) in &given {
                prop_assert_eq!(state.vip(service), Some(vip));
            }
            given.extend(state.vips().map(|(service, vip)| (service.clone(), *vip)));
        }
    }

    /// What the state does not name as changed looks the same as before to every cluster, except that renewing a
    /// lease is no news.
    #[test]
    fn every_visible_change_is_named(batches in batches()) {
        let watchers: Vec<ClusterId> = ["east", "south", "west"].map(|c| c.parse().unwrap()).to_vec();
        let mut state = State::default();
        for (revision, batch) in revisions().zip(&batches) {
            let before = state.clone();
            let applied = state.apply(revision, batch);
            for watcher in &watchers {
                let keys = before.snapshot_for(watcher).into_iter().chain(state.snapshot_for(watcher));
                for key in keys.map(|item| item.key()).filter(|key| !applied.changed.contains(key)) {
                    let was = before.visible(watcher, &key).map(without_renewals);
                    let is = state.visible(watcher, &key).map(without_renewals);
                    prop_assert_eq!(was, is, "{:?} changed in silence", key);
                }
            }
        }
    }

    #[test]
    fn a_batch_survives_being_written(batches in batches()) {
        let written = serde_json::to_string(&batches).unwrap();
        prop_assert_eq!(serde_json::from_str::<Vec<Batch>>(&written).unwrap(), batches);
    }
}

/// What watchers are not told: when a lease that is held will end, and the generation of unchanged content.
fn without_renewals(item: Item) -> Item {
    match item {
        Item::Cluster(mut cluster) => {
            if let Lease::Held { until, .. } = &mut cluster.lease {
                *until = UnixMillis(0);
            }
            Item::Cluster(cluster)
        }
        Item::Export(mut export) => {
            Arc::make_mut(&mut export).generation = Generation(0);
            Item::Export(export)
        }
        other => other,
    }
}
