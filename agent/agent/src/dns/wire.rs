//! From the bytes of a question to the bytes of its answer.

use hickory_proto::op::{Edns, Header, Message, MessageType, Metadata, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, BinEncodable, BinEncoder};

use super::answer::{self, Answer};
use super::metrics::{DnsMetrics, Malformed, Zone};
use super::record;
use super::table::SharedTable;

/// Largest answer by UDP, also to clients that offer more: larger ones are fragmented (DNS flag day 2020, RFC 9715).
pub const MAX_UDP: u16 = 1_232;
/// What every client must take by UDP (RFC 1035, section 4.2.1).
const MIN_UDP: u16 = 512;
/// Most additional records in a question: OPT, and a signature that is not looked at.
const MAX_ADDITIONALS: u16 = 2;

/// How the question came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Answers are bounded by what the client takes; larger ones are cut, with TC set.
    Udp,
    /// Answers are bounded by their 16-bit length.
    Tcp,
}

/// What to do about a packet.
#[derive(Debug)]
pub enum Judged {
    /// Nothing: it asks nothing.
    Silent,
    /// Send this.
    Reply(Vec<u8>),
    /// Ask an upstream.
    Forward(Box<Pending>),
}

/// A question whose answer is to be found elsewhere.
#[derive(Debug)]
pub struct Pending {
    request: Metadata,
    query: Query,
    edns: Option<Edns>,
    transport: Transport,
}

/// The sections of an answer.
#[derive(Debug, Default)]
pub struct Sections {
    /// The answer itself.
    pub answers: Vec<Record>,
    /// The zone's SOA, in negative answers.
    pub authorities: Vec<Record>,
    /// What helps to use the answer.
    pub additionals: Vec<Record>,
}

/// Answers packets, or says who should.
#[derive(Debug, Clone)]
pub struct Responder {
    /// Where `clusterset.local` is read from.
    pub table: SharedTable,
    /// What is counted.
    pub metrics: DnsMetrics,
    /// Whether other names may be asked elsewhere; otherwise they are refused.
    pub forwards: bool,
}

impl Responder {
    /// Judges one packet. Never panics, whatever the bytes; allocates no more than the packet justifies.
    pub fn judge(&self, packet: &[u8], transport: Transport) -> Judged {
        let Ok(header) = Header::read(&mut BinDecoder::new(packet)) else {
            self.metrics.malformed(Malformed::short);
            return Judged::Silent;
        };
        if header.metadata.message_type == MessageType::Response {
            self.metrics.malformed(Malformed::response);
            return Judged::Silent;
        }
        let failed = |code| Judged::Reply(refusal(&header.metadata, code));
        if header.metadata.op_code != OpCode::Query {
            self.metrics.answered(Zone::forwarded, ResponseCode::NotImp);
            return failed(ResponseCode::NotImp);
        }
        // Before decoding: the counts decide how much the decoder sets aside.
        let counts = header.counts;
        if counts.queries != 1
            || counts.answers != 0
            || counts.authorities != 0
            || counts.additionals > MAX_ADDITIONALS
        {
            self.metrics.malformed(Malformed::counts);
            return failed(ResponseCode::FormErr);
        }
        let Ok(message) = Message::from_vec(packet) else {
            self.metrics.malformed(Malformed::undecodable);
            return failed(ResponseCode::FormErr);
        };
        let Message { queries, edns, .. } = message;
        let Some(query) = queries.into_iter().next() else {
            self.metrics.malformed(Malformed::counts);
            return failed(ResponseCode::FormErr);
        };
        self.question(Pending { request: header.metadata, query, edns, transport })
    }

    fn question(&self, pending: Pending) -> Judged {
        let kind = pending.query.query_type();
        let transfer = matches!(kind, RecordType::AXFR | RecordType::IXFR);
        let code = if pending.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
            Some(ResponseCode::BADVERS)
        } else if pending.query.query_class() != DNSClass::IN || transfer {
            Some(ResponseCode::Refused)
        } else {
            None
        };
        if let Some(code) = code {
            self.metrics.answered(Zone::forwarded, code);
            return Judged::Reply(pending.reply(code, Sections::default(), Zone::forwarded));
        }
        let table = self.table.load();
        let Some(found) = answer::answer(table.as_deref(), pending.query.name(), kind) else {
            if self.forwards {
                return Judged::Forward(Box::new(pending));
            }
            self.metrics.answered(Zone::forwarded, ResponseCode::Refused);
            let nothing = Sections::default();
            return Judged::Reply(pending.reply(ResponseCode::Refused, nothing, Zone::forwarded));
        };
        let negative = |kept| Sections { authorities: vec![record::soa(kept)], ..Sections::default() };
        let (code, sections) = match found {
            Answer::Records { mut answers, additionals } => {
                spread(&mut answers, pending.request.id);
                (ResponseCode::NoError, Sections { answers, authorities: Vec::new(), additionals })
            }
            Answer::NoData => (ResponseCode::NoError, negative(record::TTL)),
            Answer::NoName => (ResponseCode::NXDomain, negative(record::NO_NAME_TTL)),
            Answer::NotLoaded => (ResponseCode::ServFail, Sections::default()),
        };
        self.metrics.answered(Zone::clusterset, code);
        Judged::Reply(pending.reply(code, sections, Zone::clusterset))
    }
}

impl Pending {
    /// The question.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// The bytes of an answer.
    pub fn reply(self, code: ResponseCode, sections: Sections, zone: Zone) -> Vec<u8> {
        let mut metadata = Metadata::response_from_request(&self.request);
        metadata.response_code = code;
        metadata.authoritative = zone == Zone::clusterset && code != ResponseCode::ServFail;
        metadata.recursion_available = zone == Zone::forwarded && code != ResponseCode::Refused;
        let limit = match self.transport {
            Transport::Tcp => u16::MAX,
            Transport::Udp => self.edns.as_ref().map_or(MIN_UDP, |e| e.max_payload().clamp(MIN_UDP, MAX_UDP)),
        };
        let mut message = Message::new(metadata.id, MessageType::Response, metadata.op_code);
        message.metadata = metadata;
        message.queries = vec![self.query];
        message.answers = sections.answers;
        message.authorities = sections.authorities;
        message.additionals = sections.additionals;
        message.edns = self.edns.map(|_| {
            let mut ours = Edns::new();
            ours.set_max_payload(MAX_UDP).set_version(0);
            ours
        });
        encode_within(message, limit).unwrap_or_else(|| refusal(&self.request, ResponseCode::ServFail))
    }
}

/// Encodes into at most `limit` bytes. What does not fit is left out whole: first the additional section, which is a
/// courtesy, then everything, with TC set, since half an answer is none and OPT must have room (RFC 6891, 6.1.1).
fn encode_within(mut message: Message, limit: u16) -> Option<Vec<u8>> {
    let (bytes, cut) = encode(&message, limit)?;
    if !cut {
        return Some(bytes);
    }
    message.additionals.clear();
    let (bytes, cut) = encode(&message, limit)?;
    if !cut {
        return Some(bytes);
    }
    message.answers.clear();
    message.authorities.clear();
    message.metadata.truncation = true;
    Some(encode(&message, limit)?.0)
}

/// The bytes, and whether something was left out of them.
fn encode(message: &Message, limit: u16) -> Option<(Vec<u8>, bool)> {
    let mut bytes = Vec::with_capacity(usize::from(MIN_UDP));
    let mut encoder = BinEncoder::new(&mut bytes);
    encoder.set_max_size(limit);
    message.emit(&mut encoder).ok()?;
    // TC is bit 1 of the third byte (RFC 1035, section 4.1.1).
    let cut = !message.metadata.truncation && bytes.get(2).is_some_and(|flags| flags & 0b10 != 0);
    Some((bytes, cut))
}

/// An answer that holds nothing but its code.
fn refusal(request: &Metadata, code: ResponseCode) -> Vec<u8> {
    let mut message = Message::new(request.id, MessageType::Response, request.op_code);
    message.metadata = Metadata::response_from_request(request);
    message.metadata.response_code = code;
    message.to_vec().unwrap_or_default()
}

/// Begins the answer at another record for each question, so that clients that take the first one share the load.
fn spread(answers: &mut [Record], id: u16) {
    if answers.len() > 1 {
        let by = usize::from(id) % answers.len();
        answers.rotate_left(by);
    }
}
