use super::*;
use crate::bundle::{AuthorityDer, MAX_AUTHORITIES, MAX_AUTHORITY_BYTES};

fn bundle(of: &str, sequence: u64) -> Bundle {
    let authorities = vec![AuthorityDer(vec![1, 2, 3])];
    Bundle { trust_domain: domain(of), authorities, sequence, refresh_hint: 60 }
}

fn put_bundle(from: &str, bundle: Bundle) -> Command {
    put_bundle_in(0, from, bundle)
}

#[test]
fn a_cluster_publishes_only_the_bundle_of_its_own_domain() {
    let mut machine = Machine::with_clusters(&["east", "west"]);
    assert_eq!(
        machine.accept(put_bundle("east", bundle("east.lab", 1))),
        [ItemKey::Bundle(domain("east.lab"))]
    );
    for foreign in ["west.lab", "lab", "nobody.lab"] {
        let refused = machine.refuse(put_bundle("east", bundle(foreign, 9)));
        assert_eq!(refused, Rejection::NotOwner { cluster: cluster("east"), trust_domain: domain(foreign) });
    }
}

#[test]
fn only_a_newer_sequence_replaces_a_bundle() {
    let mut machine = Machine::with_clusters(&["east"]);
    machine.accept(put_bundle("east", bundle("east.lab", 5)));
    // The same again is an answer that was lost.
    assert_eq!(machine.accept(put_bundle("east", bundle("east.lab", 5))), []);
    let other = |sequence| Bundle { authorities: Vec::new(), ..bundle("east.lab", sequence) };
    for given in [4, 5] {
        let stale = Rejection::StaleBundle { trust_domain: domain("east.lab"), given, present: 5 };
        assert_eq!(machine.refuse(put_bundle("east", other(given))), stale);
    }
    machine.accept(put_bundle("east", other(6)));
    assert_eq!(machine.state.bundle(&domain("east.lab")), Some(&other(6)));
}

#[test]
fn bundles_are_bounded() {
    let mut machine = Machine::with_clusters(&["east"]);
    let many = vec![AuthorityDer(Vec::new()); MAX_AUTHORITIES + 1];
    let large = vec![AuthorityDer(vec![0; MAX_AUTHORITY_BYTES + 1])];
    for (authorities, what) in [(many, "authorities"), (large, "bytes of an authority")] {
        let refused = machine.refuse(put_bundle("east", Bundle { authorities, ..bundle("east.lab", 1) }));
        assert!(matches!(&refused, Rejection::TooMany { what: found, .. } if found == what), "{refused}");
    }
}

#[test]
fn a_trust_domain_belongs_to_one_cluster() {
    let mut machine = Machine::with_clusters(&["east"]);
    let thief = Registration { trust_domain: domain("east.lab"), ..registration("west", 1) };
    assert_eq!(
        machine.refuse(Command::RegisterCluster(thief)),
        Rejection::TrustDomainTaken { trust_domain: domain("east.lab"), owner: cluster("east") }
    );
}

#[test]
fn a_cluster_that_changes_its_domain_takes_its_bundle_away() {
    let mut machine = Machine::with_clusters(&["east"]);
    machine.accept(put_bundle("east", bundle("east.lab", 5)));
    let moved = Registration { trust_domain: domain("new.lab"), ..registration("east", 1) };
    assert_eq!(
        machine.accept(Command::RegisterCluster(moved)),
        [ItemKey::Bundle(domain("east.lab")), ItemKey::Cluster(cluster("east"))]
    );
    assert_eq!(machine.state.bundles().count(), 0);
    // The name is free again, and its next owner's bundle starts anew.
    machine.accept(Command::RegisterCluster(Registration {
        trust_domain: domain("east.lab"),
        ..registration("west", 1)
    }));
    machine.accept(put_bundle("west", bundle("east.lab", 1)));
}
