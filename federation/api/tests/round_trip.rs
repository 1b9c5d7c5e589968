//! Every model value that travels arrives as it was: model, wire, bytes, wire, model.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of tests fail by panicking, too"
)]

mod support;

use federation_api::content_hash::ContentHash;
use federation_api::convert::registration::registration;
use federation_api::{federation, gateway};
use federation_model::data_plane::GatewayConfig;
use federation_model::{Bundle, Cluster, Export, Item, ItemKey, ServiceId, Vip};
use proptest::prelude::*;
use prost::Message;

/// Over the wire in bytes, so that what the encoding loses is lost here too.
fn carried<W: Message + Default>(message: &W) -> W {
    W::decode(message.encode_to_vec().as_slice()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn cluster(given in support::cluster()) {
        let arrived = carried(&federation::Cluster::from(&given));
        prop_assert_eq!(Cluster::try_from(arrived), Ok(given));
    }

    #[test]
    fn bundle(given in support::bundle()) {
        let arrived = carried(&federation::Bundle::from(&given));
        prop_assert_eq!(Bundle::try_from(arrived), Ok(given));
    }

    /// Both sides hash what they have: the agent before it sends, the server after it was carried.
    #[test]
    fn a_hash_is_the_same_on_both_sides_and_different_for_other_content(
        given in support::export(),
        other in support::export(),
        generation in any::<u64>(),
    ) {
        let arrived = Export::try_from(carried(&federation::Export::from(&given))).unwrap();
        let hash = ContentHash::of_export(&given);
        let again = Export { generation: federation_model::Generation(generation), ..arrived };
        prop_assert!(ContentHash::of_export(&again).is(&hash.to_vec()));
        // Another in one part is another.
        for part in 0..8 {
            let mut changed = given.clone();
            match part {
                0 => changed.ports = other.ports.clone(),
                1 => changed.labels = other.labels.clone(),
                2 => changed.annotations = other.annotations.clone(),
                3 => changed.scope = other.scope.clone(),
                4 => changed.mtls = other.mtls.clone(),
                5 => changed.localities = other.localities.clone(),
                6 => changed.endpoints = other.endpoints.clone(),
                _ => changed.kind = other.kind,
            }
            prop_assert_eq!(ContentHash::of_export(&changed) == hash, changed.same_content(&given));
        }
    }

    #[test]
    fn vip((service, vip) in support::vip()) {
        let arrived = carried(&federation::Vip::from((&service, &vip)));
        prop_assert_eq!(<(ServiceId, Vip)>::try_from(arrived), Ok((service, vip)));
    }

    #[test]
    fn export(given in support::export()) {
        let arrived = carried(&federation::Export::from(&given));
        prop_assert_eq!(Export::try_from(arrived), Ok(given));
    }

    #[test]
    fn item_and_its_key(given in support::item()) {
        let key = given.key();
        prop_assert_eq!(ItemKey::try_from(carried(&federation::ItemKey::from(&key))), Ok(key));
        let arrived = carried(&federation::Item::from(&given));
        prop_assert_eq!(Item::try_from(arrived), Ok(given));
    }

    #[test]
    fn a_registration_is_of_the_cluster_of_the_certificate(given in support::registration()) {
        let arrived = carried(&federation::Registration::from(&given));
        prop_assert_eq!(registration(given.cluster.clone(), arrived), Ok(given));
    }

    #[test]
    fn gateway_config(given in support::gateway_config()) {
        let arrived = carried(&gateway::GatewayConfig::from(&given));
        prop_assert_eq!(GatewayConfig::try_from(arrived), Ok(given));
    }

    /// What gateways and agents keep on disk.
    #[test]
    fn what_is_written_is_read_again(config in support::gateway_config(), item in support::item()) {
        let written = serde_json::to_string(&(&config, &item)).unwrap();
        prop_assert_eq!(serde_json::from_str::<(GatewayConfig, Item)>(&written).unwrap(), (config, item));
    }
}
