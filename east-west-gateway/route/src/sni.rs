//! The name of a call through a gateway, in Istio's form.
//!
//! `outbound_.<port>_.<subset>_.<service>.<namespace>.svc.clusterset.local`; Istio's own clients end it in
//! `svc.cluster.local`, and namespace sameness makes the two mean the same service.

use std::num::NonZeroU16;

use federation_model::data_plane::ServicePortId;
use federation_model::ids::ServiceId;

use crate::refusal::RefusalReason;

/// The endings of host names that are understood.
const SUFFIXES: [&str; 2] = [".svc.clusterset.local", ".svc.cluster.local"];

/// Reads the target out of a server name. Case does not matter (RFC 4343); everything else is exact.
///
/// Errors: [`RefusalReason::ForeignName`] when the form is another one, [`RefusalReason::UnknownSubset`] when it
/// names a subset.
pub fn parse(server_name: &str) -> Result<ServicePortId, RefusalReason> {
    let lower = server_name.to_ascii_lowercase();
    let (target, subset) = split(&lower).ok_or(RefusalReason::ForeignName)?;
    if subset.is_empty() { Ok(target) } else { Err(RefusalReason::UnknownSubset) }
}

fn split(name: &str) -> Option<(ServicePortId, &str)> {
    let (port, rest) = name.strip_prefix("outbound_.")?.split_once("_.")?;
    let (subset, host) = rest.split_once("_.")?;
    let owner = SUFFIXES.iter().find_map(|suffix| host.strip_suffix(suffix))?;
    let (service, namespace) = owner.split_once('.')?;
    let service = ServiceId { namespace: namespace.parse().ok()?, name: service.parse().ok()? };
    Some((ServicePortId { service, port: port_number(port)? }, subset))
}

/// Decimal without sign or leading zeros: every port has exactly one spelling.
fn port_number(text: &str) -> Option<NonZeroU16> {
    let canonical = text.starts_with(|c: char| ('1'..='9').contains(&c));
    if canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_calls_through_a_gateway_are_read() {
        let service = |name: &str| ServicePortId {
            service: name.parse().unwrap(),
            port: NonZeroU16::new(8080).unwrap(),
        };
        let long = format!("outbound_.80_._.{}.demo.svc.clusterset.local", "a".repeat(300));
        let cases: [(&str, Result<ServicePortId, RefusalReason>); 22] = [
            ("outbound_.8080_._.echo.demo.svc.clusterset.local", Ok(service("demo/echo"))),
            ("outbound_.8080_._.echo.demo.svc.cluster.local", Ok(service("demo/echo"))),
            ("OUTBOUND_.8080_._.Echo.Demo.svc.ClusterSet.local", Ok(service("demo/echo"))),
            ("outbound_.8080_.v2_.echo.demo.svc.clusterset.local", Err(RefusalReason::UnknownSubset)),
            ("outbound_.0_._.echo.demo.svc.clusterset.local", Err(RefusalReason::ForeignName)),
            ("outbound_.08080_._.echo.demo.svc.clusterset.local", Err(RefusalReason::ForeignName)),
            ("outbound_.+8080_._.echo.demo.svc.clusterset.local", Err(RefusalReason::ForeignName)),
            ("outbound_.65536_._.echo.demo.svc.clusterset.local", Err(RefusalReason::ForeignName)),
            ("outbound_._._.echo.demo.svc.clusterset.local", Err(RefusalReason::ForeignName)),
            ("outbound_.http_._.echo.demo.svc.clusterset.local", Err(RefusalReason::ForeignName)),
            ("outbound_.8080_._.echo.svc.clusterset.local", Err(RefusalReason::ForeignName)),
            ("outbound_.8080_._.a.echo.demo.svc.clusterset.local", Err(RefusalReason::ForeignName)),
            ("outbound_.8080_._.echo.demo.svc.clusterset.local.", Err(RefusalReason::ForeignName)),
            ("outbound_.8080_._.echo.demo.svc.example.com", Err(RefusalReason::ForeignName)),
            ("outbound_.8080_._..svc.clusterset.local", Err(RefusalReason::ForeignName)),
            ("outbound_.8080_._.-x.demo.svc.clusterset.local", Err(RefusalReason::ForeignName)),
            ("inbound_.8080_._.echo.demo.svc.clusterset.local", Err(RefusalReason::ForeignName)),
            ("outbound|8080||echo.demo.svc.clusterset.local", Err(RefusalReason::ForeignName)),
            ("echo.demo.svc.clusterset.local", Err(RefusalReason::ForeignName)),
            ("outbound_.8080_.", Err(RefusalReason::ForeignName)),
            ("", Err(RefusalReason::ForeignName)),
            (&long, Err(RefusalReason::ForeignName)),
        ];
        for (name, expected) in cases {
            assert_eq!(parse(name), expected, "{name}");
        }
    }

    #[test]
    fn what_the_model_writes_is_read_back() {
        let target = ServicePortId { service: "a-b/c-d".parse().unwrap(), port: NonZeroU16::MAX };
        assert_eq!(parse(&target.sni()), Ok(target));
    }
}
