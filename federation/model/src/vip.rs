//! Virtual addresses: one per service for the whole clusterset, given once and never moved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// The addresses of one service. Both families come from the same offset of their ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vip {
    /// IPv4.
    pub v4: Ipv4Addr,
    /// IPv6.
    pub v6: Ipv6Addr,
}

impl Vip {
    /// Both addresses, IPv4 first.
    pub fn addresses(&self) -> [IpAddr; 2] {
        [self.v4.into(), self.v6.into()]
    }
}

/// Where VIPs are taken from. Replicated, so that every server gives the same ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VipRanges {
    /// IPv4 range, with room for at least two addresses.
    pub v4: Ipv4Net,
    /// IPv6 range.
    pub v6: Ipv6Net,
}

impl VipRanges {
    /// 240.240.0.0/16 and fd69:7374:686d::/48.
    pub const DEFAULT: Self = Self {
        v4: Ipv4Net::new_assert(Ipv4Addr::new(240, 240, 0, 0), 16),
        v6: Ipv6Net::new_assert(Ipv6Addr::new(0xfd69, 0x7374, 0x686d, 0, 0, 0, 0, 0), 48),
    };

    /// How many VIPs there are: the smaller range counts, without its first and last address.
    pub fn capacity(&self) -> u32 {
        let hosts = |bits: u8| 1u64.checked_shl(u32::from(bits)).unwrap_or(u64::MAX).saturating_sub(2);
        let v4 = hosts(32 - self.v4.prefix_len());
        let v6 = hosts((128 - self.v6.prefix_len()).min(63));
        u32::try_from(v4.min(v6)).unwrap_or(u32::MAX)
    }

    /// The VIP number `index` (from 0), if the ranges have that many.
    pub fn nth(&self, index: u32) -> Option<Vip> {
        if index >= self.capacity() {
            return None;
        }
        let offset = index.checked_add(1)?;
        let v4 = u32::from(self.v4.network()).checked_add(offset)?;
        let v6 = u128::from(self.v6.network()).checked_add(u128::from(offset))?;
        Some(Vip { v4: v4.into(), v6: v6.into() })
    }
}

impl Default for VipRanges {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_map_to_the_same_offset_in_both_families() {
        let vip = VipRanges::DEFAULT.nth(4).unwrap();
        assert_eq!(vip.v4, Ipv4Addr::new(240, 240, 0, 5));
        assert_eq!(vip.v6, "fd69:7374:686d::5".parse::<Ipv6Addr>().unwrap());
    }

    #[test]
    fn a_small_range_ends() {
        let ranges = VipRanges { v4: "10.0.0.0/30".parse().unwrap(), ..VipRanges::DEFAULT };
        assert_eq!(ranges.capacity(), 2);
        assert_eq!(ranges.nth(1).unwrap().v4, Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!(ranges.nth(2), None);
    }

    #[test]
    fn ranges_too_small_for_any_host_give_none() {
        for v4 in ["10.0.0.0/31", "10.0.0.0/32"] {
            let ranges = VipRanges { v4: v4.parse().unwrap(), ..VipRanges::DEFAULT };
            assert_eq!(ranges.nth(0), None, "{v4}");
        }
    }
}
