//! The federation's VIPs as one cluster sees them.
//!
//! The replicated VIP of a service is the same everywhere. Where several clusters share one kernel, as in the lab,
//! each of them maps the federation's range onto a block of its own, keeping the host bits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use federation_model::IpFamily;
use federation_model::Vip;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Which blocks stand for the federation's VIP ranges in this cluster, and which families it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VipView {
    v4: Option<Family<Ipv4Net>>,
    v6: Option<Family<Ipv6Net>>,
}

/// A family in use, and the block that replaces the federation's, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family<Net> {
    AsGiven,
    Mapped(Net),
}

/// Why a VIP view cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVipView {
    /// Nothing would have an address.
    #[error("no IP family is in use; name IPv4, IPv6 or both")]
    NoFamily,
    /// A block of a family that is not in use would never be seen.
    #[error("the block {0} is of a family that ip_families does not name")]
    UnusedBlock(IpNet),
    /// Two blocks of one family.
    #[error("the block {0} is the second one of its family")]
    SecondBlock(IpNet),
}

impl VipView {
    /// Families in use, and at most one block for each. A block has the prefix length of the federation's range.
    pub fn new(families: &[IpFamily], blocks: &[IpNet]) -> Result<Self, InvalidVipView> {
        let used = |family| families.contains(&family);
        let mut view = Self {
            v4: used(IpFamily::IPv4).then_some(Family::AsGiven),
            v6: used(IpFamily::IPv6).then_some(Family::AsGiven),
        };
        if families.is_empty() {
            return Err(InvalidVipView::NoFamily);
        }
        for block in blocks {
            let clash = match block {
                IpNet::V4(net) => set(&mut view.v4, *net),
                IpNet::V6(net) => set(&mut view.v6, *net),
            };
            clash.map_err(|clash| match clash {
                Clash::Unused => InvalidVipView::UnusedBlock(*block),
                Clash::Second => InvalidVipView::SecondBlock(*block),
            })?;
        }
        Ok(view)
    }

    /// Both families, as the federation gave them.
    pub fn as_given() -> Self {
        Self { v4: Some(Family::AsGiven), v6: Some(Family::AsGiven) }
    }

    /// The addresses of `vip` in this cluster, IPv4 first.
    pub fn addresses(&self, vip: &Vip) -> Vec<IpAddr> {
        let v4 = self.v4.map(|family| match family {
            Family::AsGiven => vip.v4,
            Family::Mapped(net) => {
                let host = u32::from(vip.v4) & u32::from(net.hostmask());
                Ipv4Addr::from(u32::from(net.network()) | host)
            }
        });
        let v6 = self.v6.map(|family| match family {
            Family::AsGiven => vip.v6,
            Family::Mapped(net) => {
                let host = u128::from(vip.v6) & u128::from(net.hostmask());
                Ipv6Addr::from(u128::from(net.network()) | host)
            }
        });
        v4.map(IpAddr::from).into_iter().chain(v6.map(IpAddr::from)).collect()
    }

    /// Whether addresses of the family of `address` are used in this cluster.
    pub fn uses(&self, address: IpAddr) -> bool {
        if address.is_ipv4() { self.v4.is_some() } else { self.v6.is_some() }
    }
}

enum Clash {
    Unused,
    Second,
}

fn set<Net>(family: &mut Option<Family<Net>>, net: Net) -> Result<(), Clash> {
    match family {
        Some(used @ Family::AsGiven) => {
            *used = Family::Mapped(net);
            Ok(())
        }
        Some(Family::Mapped(_)) => Err(Clash::Second),
        None => Err(Clash::Unused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(families: &[IpFamily], blocks: &[&str]) -> Vec<String> {
        let blocks: Vec<IpNet> = blocks.iter().map(|b| b.parse().unwrap()).collect();
        let vip = Vip { v4: "240.240.3.7".parse().unwrap(), v6: "fd69:7374:686d::307".parse().unwrap() };
        VipView::new(families, &blocks).unwrap().addresses(&vip).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn host_bits_are_kept_and_only_used_families_answer() {
        use IpFamily::{IPv4, IPv6};
        assert_eq!(addresses(&[IPv4, IPv6], &[]), ["240.240.3.7", "fd69:7374:686d::307"]);
        assert_eq!(addresses(&[IPv4], &["127.241.0.0/16"]), ["127.241.3.7"]);
        assert_eq!(addresses(&[IPv6, IPv4], &["fd00::/48"]), ["240.240.3.7", "fd00::307"]);
        assert_eq!(addresses(&[IPv6], &[]), ["fd69:7374:686d::307"]);
    }

    #[test]
    fn views_that_cannot_be_meant_are_refused() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let view = |families: &[IpFamily], blocks: &[IpNet]| VipView::new(families, blocks);
        assert_eq!(view(&[], &[]), Err(InvalidVipView::NoFamily));
        let v6 = net("fd00::/48");
        assert_eq!(view(&[IpFamily::IPv4], &[v6]), Err(InvalidVipView::UnusedBlock(v6)));
        let v4 = net("127.241.0.0/16");
        assert_eq!(view(&[IpFamily::IPv4], &[v4, v4]), Err(InvalidVipView::SecondBlock(v4)));
    }
}
