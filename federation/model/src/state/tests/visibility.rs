use super::*;
use crate::state::{Changes, Position};
use crate::view::FederationView;

fn vip_key() -> ItemKey {
    ItemKey::Vip(service("echo"))
}

fn export_key() -> ItemKey {
    ItemKey::Export(service("echo"), cluster("east"))
}

fn sees(machine: &Machine, who: &str, key: &ItemKey) -> bool {
    let item = machine.state.visible(&cluster(who), key);
    assert!(item.iter().all(|item| &item.key() == key));
    item.is_some()
}

#[test]
fn a_scope_shows_an_export_and_its_vip_to_the_named_and_the_exporter() {
    let all = ExportScope::All;
    // Scope, then whether east (the exporter), south and west see it.
    let cases = [
        (all, [true, true, true]),
        (only(&["west"]), [true, false, true]),
        (only(&["east"]), [true, false, false]),
        (only(&[]), [true, false, false]),
        (only(&["nobody"]), [true, false, false]),
    ];
    for (scope, want) in cases {
        let mut machine = Machine::with_clusters(&["east", "south", "west"]);
        machine.put(Export { scope: scope.clone(), ..export("east", "echo", 1) });
        for key in [export_key(), vip_key()] {
            let found = ["east", "south", "west"].map(|who| sees(&machine, who, &key));
            assert_eq!(found, want, "{key:?} with {scope:?}");
        }
    }
}

#[test]
fn a_scope_that_shrinks_names_what_its_watchers_must_remove() {
    let mut machine = Machine::with_clusters(&["east", "west"]);
    machine.put(export("east", "echo", 1));
    let changed = machine.put(Export { scope: only(&[]), ..export("east", "echo", 2) });
    assert_eq!(changed, [vip_key(), export_key()]);
    assert!(changed.iter().all(|key| !sees(&machine, "west", key)));
    assert!(changed.iter().all(|key| sees(&machine, "east", key)));
}

#[test]
fn a_vip_is_seen_by_whoever_sees_any_export_of_its_service() {
    let mut machine = Machine::with_clusters(&["east", "south", "west"]);
    machine.put(Export { scope: only(&[]), ..export("east", "echo", 1) });
    machine.put(Export { scope: only(&["south"]), ..export("west", "echo", 1) });
    assert!(sees(&machine, "south", &vip_key()) && !sees(&machine, "south", &export_key()));
    machine.accept(remove("west", "echo", 1));
    assert!(!sees(&machine, "south", &vip_key()));
    assert!(sees(&machine, "east", &vip_key()));
    // Given for good, though nobody sees it.
    machine.accept(remove("east", "echo", 1));
    assert!(!sees(&machine, "east", &vip_key()));
    assert_eq!(machine.state.vips().count(), 1);
}

#[test]
fn clusters_and_bundles_are_seen_by_all() {
    let mut machine = Machine::with_clusters(&["east", "west"]);
    let bundle =
        Bundle { trust_domain: domain("east.lab"), authorities: Vec::new(), sequence: 1, refresh_hint: 1 };
    machine.accept(put_bundle_in(0, "east", bundle));
    for key in [ItemKey::Cluster(cluster("east")), ItemKey::Bundle(domain("east.lab"))] {
        assert!(sees(&machine, "west", &key), "{key:?}");
    }
    assert!(!sees(&machine, "west", &ItemKey::Cluster(cluster("nobody"))));
}

#[test]
fn keys_after_any_key_are_the_rest() {
    let mut machine = Machine::with_clusters(&["east", "west"]);
    for (cluster, name) in [("east", "a"), ("east", "b"), ("west", "b"), ("west", "c")] {
        machine.put(export(cluster, name, 1));
        let bundle = Bundle {
            trust_domain: domain(&format!("{cluster}.lab")),
            authorities: Vec::new(),
            sequence: 1,
            refresh_hint: 1,
        };
        machine.accept(put_bundle_in(0, cluster, bundle));
    }
    let all: Vec<ItemKey> = machine.state.keys_after(None).collect();
    assert_eq!(all.len(), 2 + 2 + 3 + 4);
    assert!(all.is_sorted());
    for (at, key) in all.iter().enumerate() {
        assert!(machine.state.keys_after(Some(key)).eq(all[at + 1..].iter().cloned()), "after {key:?}");
    }
    // Keys that are gone meanwhile.
    let gone = ItemKey::Export(service("b"), cluster("f"));
    assert_eq!(machine.state.keys_after(Some(&gone)).count(), 2);
    assert_eq!(machine.state.keys_after(Some(&ItemKey::Vip(service("bb")))).count(), 1 + 4);
}

#[test]
fn a_snapshot_is_everything_visible_and_nothing_else() {
    let mut machine = Machine::with_clusters(&["east", "west"]);
    machine.put(export("east", "echo", 1));
    machine.put(Export { scope: only(&[]), ..export("east", "secret", 1) });
    let keys = |who: &str| -> Vec<ItemKey> {
        machine.state.snapshot_for(&cluster(who)).iter().map(Item::key).collect()
    };
    let clusters = [ItemKey::Cluster(cluster("east")), ItemKey::Cluster(cluster("west"))];
    assert_eq!(keys("west"), [&clusters[..], &[vip_key(), export_key()]].concat());
    assert_eq!(keys("east").len(), 6);
}

/// A watcher as the server serves it: the keys changed after its cursor, looked up in the present state.
fn catch_up(view: &mut FederationView, machine: &Machine, changes: &Changes, who: &str) {
    let Some(changed) = changes.after(Position::end_of(view.revision)) else {
        *view = FederationView::default();
        machine.state.snapshot_for(&cluster(who)).into_iter().for_each(|item| view.upsert(item));
        view.revision = machine.state.revision();
        return;
    };
    for (_, change) in changed {
        match machine.state.visible(&cluster(who), change.key()) {
            Some(item) => view.upsert(item),
            None if change.may_be_lost_to(&cluster(who)) => view.remove(change.key()),
            None => {}
        }
    }
    view.revision = machine.state.revision();
}

#[test]
fn a_watcher_that_follows_the_ring_sees_what_a_snapshot_shows() {
    for capacity in [1, 3, 100] {
        let mut machine = Machine::with_clusters(&["east", "west"]);
        let mut changes = Changes::new(capacity, machine.state.revision());
        let (mut eager, mut lazy) = (FederationView::default(), FederationView::default());
        let steps = [
            put(1, export("east", "echo", 1)),
            put(1, export("west", "echo", 1)),
            put(1, Export { scope: only(&[]), ..export("east", "echo", 2) }),
            remove("west", "echo", 1),
            put(1, export("east", "echo", 3)),
            remove("east", "echo", 3),
            put(1, export("east", "other", 1)),
            Command::ExpireLeases,
        ];
        for (at, step) in steps.into_iter().enumerate() {
            machine.now += 2_000;
            let applied = machine.apply(step);
            changes.record(
                machine.state.revision(),
                UnixMillis(machine.now),
                applied.changed,
                &applied.before,
            );
            catch_up(&mut eager, &machine, &changes, "west");
            if at % 3 == 2 {
                catch_up(&mut lazy, &machine, &changes, "west");
            }
            let mut fresh = FederationView { revision: machine.state.revision(), ..Default::default() };
            machine.state.snapshot_for(&cluster("west")).into_iter().for_each(|item| fresh.upsert(item));
            assert_eq!(eager, fresh, "capacity {capacity}, step {at}");
            if at % 3 == 2 {
                assert_eq!(lazy, fresh, "capacity {capacity}, step {at}");
            }
        }
    }
}
