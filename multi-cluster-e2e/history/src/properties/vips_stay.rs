//! A VIP is given once: it never moves to another address and never belongs to two services; and whoever sees a
//! service sees its VIP, and the VIP of nothing else.

use std::collections::BTreeMap;

use federation_model::{ServiceId, Vip};

use crate::event::Piece;
use crate::sights::Sights;
use crate::violation::Violation;

/// Every VIP that moved, is shared, or was seen without its service or the other way round.
pub fn violations(sights: &Sights) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut given: BTreeMap<&ServiceId, Vip> = BTreeMap::new();
    // By either address: two services that share only one of them share it.
    let mut owners: BTreeMap<std::net::IpAddr, &ServiceId> = BTreeMap::new();
    for shown in &sights.shown {
        let Piece::Vip { service, vip } = &shown.piece else { continue };
        let watcher = || shown.watcher.clone();
        match given.get(service) {
            Some(from) if from == vip => continue,
            Some(from) => violations.push(Violation::VipMoved {
                service: service.clone(),
                from: *from,
                to: *vip,
                watcher: watcher(),
            }),
            None => {
                given.insert(service, *vip);
            }
        }
        for address in vip.addresses() {
            let owner = *owners.entry(address).or_insert(service);
            if owner != service {
                violations.push(Violation::VipShared {
                    vip: *vip,
                    one: owner.clone(),
                    other: service.clone(),
                    watcher: watcher(),
                });
                break;
            }
        }
    }
    for sight in &sights.watchers {
        for point in &sight.points {
            violations.extend(point.unmatched_vips.iter().map(|service| Violation::UnmatchedVip {
                watcher: sight.watcher.clone(),
                service: service.clone(),
                revision: point.revision,
                server: point.server.clone(),
            }));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::history::History;
    use crate::testing::{connect, good, progress, saw, saw_vip};

    fn said(mut events: Vec<Event>) -> Vec<String> {
        events.splice(0..0, [connect("east", 1), connect("north", 2)]);
        violations(&Sights::of(&History { events }).0).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn one_vip_for_each_service_seen_by_all_is_fine() {
        assert!(said(good().events).is_empty());
        assert!(
            said(vec![saw_vip("east", "a", 1), saw_vip("north", "a", 1), saw_vip("north", "b", 2)])
                .is_empty()
        );
    }

    #[test]
    fn a_vip_that_moves_is_found_whoever_sees_it() {
        assert_eq!(
            said(vec![saw_vip("east", "a", 1), saw_vip("north", "a", 2)]),
            ["the VIP of demo/a moved from 240.240.0.1 to 240.240.0.2, as watcher north saw it"]
        );
    }

    #[test]
    fn a_vip_of_two_services_is_found() {
        assert_eq!(
            said(vec![saw_vip("east", "a", 1), saw_vip("east", "b", 1)]),
            ["the VIP 240.240.0.1 belongs to demo/a and to demo/b, as watcher east saw it"]
        );
    }

    #[test]
    fn an_export_without_a_vip_and_a_vip_without_an_export_are_found_where_a_view_is_whole() {
        let expected =
            "watcher east had a VIP or an export of demo/a without the other at revision 4 of server 1";
        assert_eq!(said(vec![saw("east", 1, "a"), progress("east", 4)]), [expected]);
        assert_eq!(said(vec![saw_vip("east", "a", 1), progress("east", 4)]), [expected]);
        assert!(said(vec![saw_vip("east", "a", 1), saw("east", 1, "a"), progress("east", 4)]).is_empty());
    }
}
