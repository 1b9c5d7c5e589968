use std::sync::Arc;

use federation_model::{ClusterId, ServiceId};

use super::*;
use crate::mcs::tests::world::{Federation, HERE, views};

fn here() -> ClusterId {
    HERE.parse().unwrap()
}

fn echo() -> ServiceId {
    "demo/echo".parse().unwrap()
}

fn federation(exports: &str) -> Federation {
    serde_saphyr::from_str(&format!("kind: Federation\nexports: [{exports}]")).unwrap()
}

/// Builds one after the other; whether the second is the very same.
fn unchanged(before: &str, after: &str) -> bool {
    let mut builder = CatalogueBuilder::default();
    let mut build = |yaml: &str| {
        let (view, local) = views(&federation(yaml));
        let catalogue = builder.build(&here(), &view, &local, true);
        assert_eq!(*catalogue, *CatalogueBuilder::default().build(&here(), &view, &local, true), "{yaml}");
        catalogue
    };
    Arc::ptr_eq(&build(before), &build(after))
}

#[test]
fn an_endpoint_behind_a_vip_is_no_news_and_one_of_a_headless_service_is() {
    let of = |kind: &str, endpoints: &str| {
        format!("{{cluster: west, service: demo/echo, ports: [':80/TCP'], {kind}endpoints: [{endpoints}]}}")
    };
    let vip = "{cluster: west, service: demo/echo, ports: [':80/TCP']";
    let own = "{cluster: east, service: demo/echo, ports: [':80/TCP']";
    let (one, two) = ("{address: 10.0.0.1}", "{address: 10.0.0.1}, {address: 10.0.0.2}");
    for (before, after, same) in [
        (format!("{vip}}}"), format!("{vip}}}"), true),
        (format!("{vip}}}"), format!("{vip}, not_ready: true}}"), false),
        (format!("{own}}}"), format!("{own}}}"), true),
        (format!("{own}}}"), format!("{own}, not_ready: true}}"), false),
        (format!("{own}}}"), format!("{own}, withdrawn: true}}"), false),
        (format!("{vip}}}"), format!("{vip}, labels: {{a: b}}}}"), false),
        (of("headless: true, ", one), of("headless: true, ", one), true),
        (of("headless: true, ", one), of("headless: true, ", two), false),
        (format!("{vip}}}"), String::new(), false),
    ] {
        assert_eq!(unchanged(&before, &after), same, "{before} -> {after}");
    }
}

#[test]
fn generations_and_ready_endpoints_beyond_the_first_do_not_count() {
    let (mut view, local) = views(&federation("{cluster: west, service: demo/echo, ports: [':80/TCP']}"));
    let mut builder = CatalogueBuilder::default();
    let before = builder.build(&here(), &view, &local, true);
    let exporters = Arc::make_mut(view.exports.get_mut(&echo()).unwrap());
    let export = Arc::make_mut(exporters.values_mut().next().unwrap());
    export.generation.0 += 1;
    export.localities[0].ready += 3;
    view.revision.0 += 1;
    assert!(Arc::ptr_eq(&before, &builder.build(&here(), &view, &local, true)));
}

#[test]
fn an_own_export_that_nobody_judged_is_kept_apart() {
    let yaml = "{cluster: east, service: demo/echo, ports: [':80/TCP'], withdrawn: true}, \
                {cluster: west, service: demo/echo, ports: [':80/TCP']}, \
                {cluster: south, service: demo/echo, ports: [':80/TCP'], scope: [west]}";
    let (view, local) = views(&federation(yaml));
    let catalogue = CatalogueBuilder::default().build(&here(), &view, &local, true);
    let listed = &catalogue.services[&echo()];
    let exporters = |offered: &Option<Arc<Offered>>| -> Vec<String> {
        let offered = offered.as_ref().unwrap();
        offered.exporters.iter().map(|exporter| exporter.cluster.to_string()).collect()
    };
    assert_eq!(exporters(&listed.offered), ["west"]);
    assert_eq!(exporters(&listed.with_unjudged), ["east", "west"]);
}
