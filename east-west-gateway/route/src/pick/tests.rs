use std::collections::BTreeMap;

use federation_model::data_plane::{AppProtocol, Via};
use proptest::prelude::*;

use super::*;

fn target(port: u16, weight: u32) -> Target {
    Target {
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        weight,
        cluster: "east".parse().unwrap(),
        via: Via::Plain,
    }
}

fn outbound(groups: &[&[(u16, u32)]]) -> OutboundPort {
    let group = |targets: &&[(u16, u32)]| TargetGroup {
        targets: targets.iter().map(|(port, weight)| target(*port, *weight)).collect(),
    };
    OutboundPort {
        vip: vec![],
        listen_port: None,
        app: AppProtocol::Tcp,
        groups: groups.iter().map(group).collect::<Vec<_>>().into(),
    }
}

fn ports(order: &[&Target]) -> Vec<u16> {
    order.iter().map(|target| target.address.port()).collect()
}

#[test]
fn a_later_group_comes_after_every_target_of_the_earlier_ones() {
    let port = outbound(&[&[(1, 1), (2, 1)], &[(3, 100)], &[(4, 1)]]);
    for random in 0..200 {
        let order = ports(&targets(&port, random, 16));
        assert_eq!(order.len(), 4);
        assert!(order[..2].contains(&1) && order[..2].contains(&2), "{order:?}");
        assert_eq!(order[2..], [3, 4]);
    }
}

#[test]
fn the_limit_holds_over_all_groups() {
    let port = outbound(&[&[(1, 1), (2, 1)], &[(3, 1), (4, 1)]]);
    assert_eq!(targets(&port, 7, 3).len(), 3);
    assert_eq!(targets(&port, 7, 0).len(), 0);
    assert_eq!(targets(&outbound(&[]), 7, 3).len(), 0);
}

#[test]
fn first_choices_follow_the_weights() {
    let port = outbound(&[&[(1, 1), (2, 3), (3, 6)]]);
    let mut counts = BTreeMap::new();
    for random in 0..20_000_u64 {
        let first = ports(&targets(&port, random, 1))[0];
        *counts.entry(first).or_insert(0_u32) += 1;
    }
    for (port, expected) in [(1, 2_000), (2, 6_000), (3, 12_000)] {
        let found = counts[&port];
        assert!(found.abs_diff(expected) < 500, "{port}: {found}, not about {expected}");
    }
}

#[test]
fn endpoints_are_equally_likely_at_every_rank() {
    let all: BTreeSet<SocketAddr> = (1..=5).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
    let mut counts = BTreeMap::new();
    for random in 0..20_000_u64 {
        for (rank, endpoint) in endpoints(&all, random, 3).iter().enumerate() {
            *counts.entry((rank, endpoint.port())).or_insert(0_u32) += 1;
        }
    }
    assert_eq!(counts.len(), 15);
    for (key, found) in counts {
        assert!(found.abs_diff(4_000) < 400, "{key:?}: {found}, not about 4000");
    }
}

proptest! {
    #[test]
    fn an_order_names_no_target_twice(weights in proptest::collection::vec(0_u32.., 0..12), random: u64, limit in 0_usize..16) {
        let listed: Vec<(u16, u32)> = (1..).zip(weights.iter().copied()).collect();
        let port = outbound(&[&listed]);
        let order = ports(&targets(&port, random, limit));
        let different: BTreeSet<_> = order.iter().collect();
        prop_assert_eq!(different.len(), order.len());
        prop_assert_eq!(order.len(), limit.min(weights.len()));
        prop_assert_eq!(ports(&targets(&port, random, limit)), order);
    }

    #[test]
    fn a_sample_has_the_size_asked_for_and_no_repeats(count in 0_u16..40, random: u64, limit in 0_usize..50) {
        let all: BTreeSet<SocketAddr> = (1..=count).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
        let sample = endpoints(&all, random, limit);
        let different: BTreeSet<_> = sample.iter().collect();
        prop_assert_eq!(different.len(), sample.len());
        prop_assert_eq!(sample.len(), limit.min(all.len()));
        prop_assert!(sample.iter().all(|endpoint| all.contains(endpoint)));
    }
}
