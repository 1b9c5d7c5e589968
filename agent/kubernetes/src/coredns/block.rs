//! The block that is put into a Corefile.

use std::net::IpAddr;

/// The zone. Its names are those of KEP-1645.
pub(super) const ZONE: &str = "clusterset.local";

/// The stub zone for CoreDNS on the usual port 53. `dns` is the address of the Service in front of the agent.
#[must_use]
pub fn stub_zone(dns: IpAddr) -> String {
    stub_zone_on(dns, 53)
}

/// The stub zone for a CoreDNS that listens on `port`. Lines end with `\n`.
///
/// - `serve_stale 1h verify`: the agent is asked first whenever an answer is past its TTL, so nothing outdated is told;
///   if the agent does not answer, the last answer counts, for an hour. Names survive the agent's restart.
/// - `denial ... 1 0`: a name that is not there yet is asked for again after at most a second, or never held at all
///   where the agent says so by a TTL of 0. It is not disabled, because "no AAAA" is a denial too, and resolvers that get
///   no answer to that one fail the whole look-up (musl).
/// - `servfail 0s`: an agent that is not ready yet is asked again at once. CoreDNS looks at denials first, so a failure
///   that is held would hide a good answer.
///
/// All of it is in CoreDNS since 1.10.1 (Kubernetes 1.28); an option that CoreDNS does not know keeps it from starting.
#[must_use]
pub fn stub_zone_on(dns: IpAddr, port: u16) -> String {
    let upstream = match dns {
        IpAddr::V4(dns) => dns.to_string(),
        IpAddr::V6(dns) => format!("[{dns}]:53"),
    };
    format!(
        "{ZONE}:{port} {{
    errors
    cache 30 {{
        success 9984 30
        denial 9984 1 0
        serve_stale 1h verify
        servfail 0s
    }}
    forward . {upstream}
}}
"
    )
}
