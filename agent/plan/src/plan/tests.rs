//! Rules of single targets; whole plans and laws over random ones are in `crate::tests`.

use federation_model::data_plane::{Target, Via};

use super::targets::reduce_weights;

#[test]
fn weights_are_reduced_to_the_smallest_with_the_same_proportions() {
    let reduced = |weights: &[u32]| {
        let target = |weight: &u32| Target {
            address: "192.0.2.1:1".parse().unwrap(),
            weight: *weight,
            cluster: "east".parse().unwrap(),
            via: Via::Plain,
        };
        let mut targets: Vec<Target> = weights.iter().map(target).collect();
        reduce_weights(&mut targets);
        targets.iter().map(|t| t.weight).collect::<Vec<_>>()
    };
    assert!(reduced(&[]).is_empty());
    assert_eq!(reduced(&[2_000, 1_000]), [2, 1]);
    assert_eq!(reduced(&[1_000]), [1]);
    assert_eq!(reduced(&[333, 333, 1_000]), [333, 333, 1_000]);
    assert_eq!(reduced(&[u32::MAX, u32::MAX]), [1, 1]);
}
