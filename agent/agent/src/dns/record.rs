//! The records that answers are made of.

use std::net::IpAddr;

use hickory_proto::rr::rdata::{A, AAAA, SOA, SRV, TXT};
use hickory_proto::rr::{Name, RData, Record};

/// Seconds that an answer may be kept: readiness changes must reach clients soon.
pub const TTL: u32 = 5;
/// Seconds that the schema's version may be kept (the example of the DNS specification).
pub const VERSION_TTL: u32 = 28_800;
/// The version of the DNS schema that is served (KEP-1645, DNS specification).
pub const SCHEMA_VERSION: &str = "1.0.0";

/// `clusterset.local.`.
pub fn apex() -> Name {
    name("clusterset.local.")
}

/// Seconds that "there is no such name" may be kept: not at all. Names come to be at any moment, and a cache that answers
/// with what is stale while this server is away (CoreDNS' `serve_stale`) looks among its denials first.
pub const NO_NAME_TTL: u32 = 0;

/// The zone's authority. In a negative answer `minimum` bounds how many seconds "no" is kept, as does its own TTL
/// (RFC 2308, section 5).
pub fn soa(minimum: u32) -> Record {
    let soa = SOA::new(
        name("ns.dns.clusterset.local."),
        name("hostmaster.clusterset.local."),
        1, // Nobody transfers the zone, so its serial carries nothing.
        7_200,
        1_800,
        86_400,
        minimum,
    );
    Record::from_rdata(apex(), minimum, RData::SOA(soa))
}

/// An A or AAAA record.
pub fn address(owner: &Name, address: IpAddr) -> Record {
    let data = match address {
        IpAddr::V4(v4) => RData::A(A(v4)),
        IpAddr::V6(v6) => RData::AAAA(AAAA(v6)),
    };
    Record::from_rdata(owner.clone(), TTL, data)
}

/// An SRV record. All targets of a service are of equal rank and weight.
pub fn srv(owner: &Name, port: u16, target: Name) -> Record {
    Record::from_rdata(owner.clone(), TTL, RData::SRV(SRV::new(0, 1, port, target)))
}

/// The version of the schema.
pub fn version(owner: &Name) -> Record {
    Record::from_rdata(owner.clone(), VERSION_TTL, RData::TXT(TXT::new(vec![SCHEMA_VERSION.to_owned()])))
}

/// A name made of labels that were checked when they were parsed. The root if, against that, it does not fit: a
/// service's host has at most 63 + 63 + 63 + 63 bytes of labels, and 22 of suffix, so only an endpoint's may.
pub fn name(text: &str) -> Name {
    Name::from_ascii(text).map_or_else(|_| Name::root(), |name| name.to_lowercase())
}
