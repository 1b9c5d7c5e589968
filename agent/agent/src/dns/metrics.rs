//! Counters of the DNS server. Their labels are closed sets.

use hickory_proto::op::ResponseCode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "the names are the label's values, which are lower case")]
pub enum Zone {
    /// The table.
    clusterset,
    /// An upstream, or nobody for want of one.
    forwarded,
}

/// How the answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(missing_docs, reason = "the names of RFC 1035 and RFC 6891")]
pub enum Rcode {
    NOERROR,
    FORMERR,
    SERVFAIL,
    NXDOMAIN,
    NOTIMP,
    REFUSED,
    BADVERS,
    OTHER,
}

impl From<ResponseCode> for Rcode {
    fn from(code: ResponseCode) -> Self {
        match code {
            ResponseCode::NoError => Self::NOERROR,
            ResponseCode::FormErr => Self::FORMERR,
            ResponseCode::ServFail => Self::SERVFAIL,
            ResponseCode::NXDomain => Self::NXDOMAIN,
            ResponseCode::NotImp => Self::NOTIMP,
            ResponseCode::Refused => Self::REFUSED,
            ResponseCode::BADVERS => Self::BADVERS,
            _ => Self::OTHER,
        }
    }
}

/// Why a packet was not a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "the names are the label's values, which are lower case")]
pub enum Malformed {
    /// Less than a header. No answer.
    short,
    /// An answer, or something else that asks nothing. No answer: two servers must not talk to each other for ever.
    response,
    /// Not one question, or records where a question has none. FORMERR.
    counts,
    /// Bytes that do not decode. FORMERR.
    undecodable,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Query {
    rcode: Rcode,
    zone: Zone,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: Malformed,
}

/// Counters of one server. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct DnsMetrics {
    queries: Family<Query, Counter>,
    malformed: Family<Reason, Counter>,
}

impl DnsMetrics {
    /// Makes the counters and registers them under `isthmus_dns_`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "Questions answered, by zone and answer";
        registry.register("isthmus_dns_queries", help, metrics.queries.clone());
        let help = "Packets that were no question, by reason";
        registry.register("isthmus_dns_malformed", help, metrics.malformed.clone());
        metrics
    }

    /// Counts an answered question.
    pub fn answered(&self, zone: Zone, code: ResponseCode) {
        self.queries.get_or_create(&Query { rcode: code.into(), zone }).inc();
    }

    /// Counts a packet that was no question.
    pub fn malformed(&self, reason: Malformed) {
        self.malformed.get_or_create(&Reason { reason }).inc();
    }

    /// Answers of this zone and code so far.
    pub fn answered_count(&self, zone: Zone, code: ResponseCode) -> u64 {
        self.queries.get_or_create(&Query { rcode: code.into(), zone }).get()
    }

    /// Packets of this kind so far.
    pub fn malformed_count(&self, reason: Malformed) -> u64 {
        self.malformed.get_or_create(&Reason { reason }).get()
    }
}
