use federation_model::cluster::LEASE_MILLIS;
use federation_model::command::Registration;
use federation_model::{Batch, ClusterId, Command, Revision, State};
use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3_600_000;
/// Some day, in milliseconds.
const DAY: u64 = 1_800_000_000_000;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(millis: u64) -> UnixMillis {
    UnixMillis(DAY + millis)
}

#[test]
fn the_first_batch_of_all_is_dated_by_the_wall_clock() {
    let mut clock = ClustersetClock::default();
    assert_eq!(clock.read(secs(5), at(0)), at(0));
    assert_eq!(clock.stamp(secs(5), at(0)), at(0));
    assert_eq!(clock.read(secs(7), at(9_999_999)), at(2_000));
}

#[test]
fn a_leaders_wall_clock_that_jumps_moves_time_by_a_thousandth_of_what_passes() {
    let hour = HOUR.unsigned_abs();
    for (wall, expected) in [
        (at(10_000), 10_000),
        (at(10_000 + hour), 10_010),
        (UnixMillis(at(10_000).0 - hour), 9_990),
        (at(10_003), 10_003),
        (UnixMillis(0), 9_990),
        (UnixMillis(u64::MAX), 10_010),
    ] {
        let mut clock = ClustersetClock::default();
        clock.stamp(secs(0), at(0));
        assert_eq!(clock.stamp(secs(10), wall), at(expected), "{wall}");
    }
}

#[test]
fn many_small_steps_are_drawn_as_far_as_one_large() {
    let mut clock = ClustersetClock::default();
    clock.stamp(secs(0), at(0));
    for step in 1..=100_000_u64 {
        clock.stamp(Duration::from_micros(step * 100), at(HOUR.unsigned_abs()));
    }
    assert_eq!(clock.read(secs(10), at(0)), at(10_010));
}

#[test]
fn a_new_leader_goes_on_from_the_last_batch_whatever_its_wall_clock_shows() {
    for wall in [at(0), UnixMillis(0), at(HOUR.unsigned_abs())] {
        let mut clock = ClustersetClock::default();
        clock.observe(at(0), secs(100), Heard::Live);
        assert_eq!(clock.read(secs(103), wall), at(3_000));
        let stamped = clock.stamp(secs(103), wall);
        assert!((at(2_997)..=at(3_003)).contains(&stamped), "{stamped}");
    }
}

#[test]
fn after_a_restart_of_all_servers_time_begins_at_the_wall_clock_but_not_before_the_log() {
    for (wall, expected) in [(at(60_000), at(60_000)), (at(0), at(5_000))] {
        let mut clock = ClustersetClock::default();
        clock.observe(at(5_000), secs(0), Heard::Replayed);
        assert_eq!(clock.read(secs(1), wall), expected);
        assert_eq!(clock.stamp(secs(1), wall), expected);
    }
    // Another server that went on knows better than our wall clock.
    let mut clock = ClustersetClock::default();
    clock.observe(at(5_000), secs(0), Heard::Replayed);
    clock.observe(at(6_000), secs(1), Heard::Live);
    assert_eq!(clock.read(secs(2), at(HOUR.unsigned_abs())), at(7_000));
}

#[test]
fn a_leaders_own_batches_do_not_hold_it_back() {
    let mut clock = ClustersetClock::default();
    let first = clock.stamp(secs(0), at(0));
    for second in 1..=60 {
        // Applied half a second after it was stamped.
        clock.observe(first, secs(second) - Duration::from_millis(500), Heard::Live);
        let wall = at(second * 1_000);
        assert_eq!(clock.stamp(secs(second), wall), wall);
    }
}

#[test]
fn a_batch_of_a_time_that_was_seen_does_not_hold_back() {
    let mut clock = ClustersetClock::default();
    clock.observe(at(0), secs(1), Heard::Live);
    // By a leader that had seen the one before a second late.
    clock.observe(at(0), secs(2), Heard::Live);
    assert_eq!(clock.read(secs(3), at(0)), at(2_000));
}

/// What happens to three servers, after so many milliseconds.
#[derive(Debug, Clone)]
enum Event {
    Nothing,
    WallJumps(usize, i64),
    Leads(usize),
}

fn event() -> impl Strategy<Value = (u64, Event)> {
    let event = prop_oneof![
        4 => Just(Event::Nothing),
        2 => (0..3_usize, prop_oneof![Just(HOUR), Just(-HOUR), -5_000..5_000_i64])
            .prop_map(|(server, by)| Event::WallJumps(server, by)),
        1 => (0..3_usize).prop_map(Event::Leads),
    ];
    (100..3_000_u64, event)
}

proptest! {
    /// A cluster renews its lease with every batch, at most three seconds after the last; leaders change, and each
    /// expires leases once it has led for a lease's length; followers apply up to a second late.
    #[test]
    fn no_held_lease_expires_and_time_never_goes_back(
        events in proptest::collection::vec((event(), 0..1_000_u64), 1..400),
        offsets in [-HOUR..HOUR, -HOUR..HOUR, -HOUR..HOUR],
    ) {
        let cluster: ClusterId = "east".parse().unwrap();
        let instance: federation_model::InstanceId = "0".repeat(32).parse().unwrap();
        let register = Command::RegisterCluster(Registration {
            cluster: cluster.clone(),
            instance: instance.clone(),
            network: "n".parse().unwrap(),
            region: None,
            zone: None,
            trust_domain: "east.lab".parse().unwrap(),
            gateways: Vec::new(),
        });
        let mut clocks: [ClustersetClock; 3] = Default::default();
        let mut walls = offsets;
        let (mut state, mut revision) = (State::default(), 0);
        let (mut now, mut leader, mut leads_since) = (0_u64, 0_usize, 0_u64);
        let mut last = None;
        for ((passed, event), late) in events {
            now += passed;
            match event {
                Event::Nothing => {}
                Event::WallJumps(server, by) => walls[server] += by,
                Event::Leads(server) if server == leader => {}
                Event::Leads(server) => (leader, leads_since) = (server, now),
            }
            let wall = UnixMillis(DAY.saturating_add_signed(walls[leader]) + now);
            let stamped = clocks[leader].stamp(Duration::from_millis(now), wall);
            if let Some((before, then)) = last {
                prop_assert!(stamped >= before);
                let gone = stamped.since(before);
                // What was late once counts twice at most: when it is lost, and when it is made good.
                prop_assert!(gone <= (now - then) + (now - then) / 1_000 + 1_001, "{gone} in {}", now - then);
            }
            last = Some((stamped, now));
            let first = if revision == 0 { register.clone() } else {
                Command::RenewLease { cluster: cluster.clone(), instance: instance.clone() }
            };
            let mut commands = vec![first];
            if now - leads_since >= LEASE_MILLIS {
                // Before the renewal: as if it came just too late for this entry.
                commands.insert(0, Command::ExpireLeases);
            }
            revision += 1;
            state.apply(Revision(revision), &Batch { at: stamped, commands });
            prop_assert!(state.cluster(&cluster).unwrap().lease.is_held());
            let held = state.next_lease_due();
            prop_assert!(held > Some(stamped));
            for clock in &mut clocks {
                clock.observe(stamped, Duration::from_millis(now + late), Heard::Live);
            }
        }
    }
}
