//! Asking one DNS server one question (RFC 1035), over UDP, and over TCP if the answer was cut.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// How long one try may take. A lost datagram is asked for again.
const TRY: Duration = Duration::from_millis(500);
/// How often is asked.
const TRIES: usize = 4;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DnsAnswer {
    /// `NOERROR`, `NXDOMAIN` and so on.
    pub status: String,
    /// The answer section.
    pub records: Vec<DnsRecord>,
    /// How long it took, in microseconds.
    pub micros: u128,
}

/// One record of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DnsRecord {
    /// Its owner name.
    pub name: String,
    /// Seconds.
    pub ttl: u32,
    /// `A`, `SRV` and so on.
    pub kind: String,
    /// Its data in presentation format.
    pub data: String,
    /// The address, of A and AAAA.
    #[serde(skip)]
    pub address: Option<IpAddr>,
}

impl DnsAnswer {
    /// Whether the name does not exist.
    pub fn is_nxdomain(&self) -> bool {
        self.status == "NXDOMAIN"
    }

    /// The addresses in it.
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.records.iter().filter_map(|record| record.address).collect()
    }

    /// One line: the status, or the data of the records.
    pub fn brief(&self) -> String {
        if self.records.is_empty() {
            return format!("{} without records", self.status);
        }
        self.records.iter().map(|r| r.data.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// Asks `server` for the records of `kind` at `name` (a name without a final dot is taken as complete).
pub async fn query(server: SocketAddr, name: &str, kind: &str) -> anyhow::Result<DnsAnswer> {
    let kind: RecordType =
        kind.to_ascii_uppercase().parse().with_context(|| format!("{kind:?} is not a record type"))?;
    let mut name = Name::from_ascii(name).with_context(|| format!("{name:?} is not a DNS name"))?;
    name.set_fqdn(true);
    let mut question = Message::new(rand::random(), MessageType::Query, OpCode::Query);
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(name, kind));
    let bytes = question.to_vec().context("cannot encode the question")?;

    let began = Instant::now();
    for _ in 0..TRIES {
        let Ok(answer) = tokio::time::timeout(TRY, over_udp(server, &bytes, question.metadata.id)).await
        else {
            continue;
        };
        let mut answer = answer?;
        if answer.metadata.truncation {
            answer = tokio::time::timeout(TRY, over_tcp(server, &bytes))
                .await
                .with_context(|| format!("{server} does not answer over TCP"))??;
        }
        return Ok(read(&answer, began.elapsed()));
    }
    bail!("{server} does not answer over UDP")
}

async fn over_udp(server: SocketAddr, question: &[u8], id: u16) -> anyhow::Result<Message> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = vec![0; 4096];
    loop {
        let length = socket.recv(&mut buffer).await.with_context(|| format!("nobody listens on {server}"))?;
        let answer =
            Message::from_vec(buffer.get(..length).unwrap_or_default()).context("not a DNS message")?;
        // An answer to an earlier try is skipped.
        if answer.metadata.id == id {
            return Ok(answer);
        }
    }
}

async fn over_tcp(server: SocketAddr, question: &[u8]) -> anyhow::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_u16(u16::try_from(question.len())?).await?;
    stream.write_all(question).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    ensure!(answer.len() > 2 && answer.get(..2) == question.get(..2), "an answer to another question");
    Message::from_vec(&answer).context("not a DNS message")
}

fn read(answer: &Message, took: Duration) -> DnsAnswer {
    let records = answer.answers.iter().map(|record| DnsRecord {
        name: record.name.to_string(),
        ttl: record.ttl,
        kind: record.record_type().to_string(),
        data: record.data.to_string(),
        address: match &record.data {
            RData::A(a) => Some(a.0.into()),
            RData::AAAA(aaaa) => Some(aaaa.0.into()),
            _ => None,
        },
    });
    DnsAnswer {
        status: status(answer.metadata.response_code),
        records: records.collect(),
        micros: took.as_micros(),
    }
}

/// The words that `dig` uses.
fn status(code: ResponseCode) -> String {
    match code {
        ResponseCode::NoError => "NOERROR".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        other => format!("{other:?}").to_uppercase(),
    }
}
