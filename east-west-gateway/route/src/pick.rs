//! In which order endpoints and targets are tried.
//!
//! The caller gives one random number per connection; equal numbers give equal orders, so a test can name the order
//! it wants and a simulation can replay one.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use federation_model::data_plane::{OutboundPort, Target, TargetGroup};

/// The order in which the targets of a port are tried: group by group, and inside a group a weighted draw without
/// replacement. At most `limit` targets are named; groups after the limit are not reached.
pub fn targets(port: &OutboundPort, random: u64, limit: usize) -> Vec<&Target> {
    let mut draws = Draws(random);
    let mut order = Vec::with_capacity(limit.min(16));
    for group in port.groups.iter() {
        let room = limit.saturating_sub(order.len());
        order.extend(within(group, &mut draws, room));
    }
    order
}

/// Draws up to `limit` targets of a group, each with the chance of its weight among those which are left.
fn within<'a>(group: &'a TargetGroup, draws: &mut Draws, limit: usize) -> Vec<&'a Target> {
    let mut left: Vec<&Target> = group.targets.iter().collect();
    let mut drawn = Vec::new();
    while drawn.len() < limit && !left.is_empty() {
        let total: u64 = left.iter().map(|target| u64::from(target.weight.max(1))).sum();
        let mut ticket = draws.below(total);
        let position = left.iter().position(|target| {
            let weight = u64::from(target.weight.max(1));
            let hit = ticket < weight;
            ticket = ticket.saturating_sub(weight);
            hit
        });
        // A ticket is below the sum of the weights, so some target is hit.
        drawn.push(left.swap_remove(position.unwrap_or(0)));
    }
    drawn
}

/// Up to `limit` different endpoints, each as likely as any other, in the order in which to try them.
pub fn endpoints(all: &BTreeSet<SocketAddr>, random: u64, limit: usize) -> Vec<SocketAddr> {
    let mut draws = Draws(random);
    let wanted = limit.min(all.len());
    // Floyd's sample of positions, then one pass over the set: no copy of a large set per connection.
    let mut positions: Vec<usize> = Vec::with_capacity(wanted);
    for upper in all.len().saturating_sub(wanted)..all.len() {
        let drawn = usize::try_from(draws.below(upper as u64 + 1)).unwrap_or(upper);
        positions.push(if positions.contains(&drawn) { upper } else { drawn });
    }
    // Floyd's sample is a fair set but not a fair order; a shuffle makes it one.
    for last in (1..positions.len()).rev() {
        let other = usize::try_from(draws.below(last as u64 + 1)).unwrap_or(last);
        positions.swap(last, other);
    }
    let mut found = vec![None; positions.len()];
    for (index, endpoint) in all.iter().enumerate() {
        if let Some(rank) = positions.iter().position(|position| *position == index)
            && let Some(slot) = found.get_mut(rank)
        {
            *slot = Some(*endpoint);
        }
    }
    found.into_iter().flatten().collect()
}

/// SplitMix64: turns one random number into as many as are needed.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, or 0 when `bound` is 0. The bias of the multiplication is under `bound / 2^64`.
    fn below(&mut self, bound: u64) -> u64 {
        u64::try_from((u128::from(self.next()) * u128::from(bound)) >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
