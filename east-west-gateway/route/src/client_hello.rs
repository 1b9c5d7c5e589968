//! The first message of a TLS client (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2), read as it arrives.
//!
//! [`HelloParser`] takes bytes in pieces of any size and says [`Progress::NeedMore`] until the message is whole. How
//! the bytes were cut, over TCP segments or over TLS records, never changes the answer. It keeps only the message
//! without record headers; whoever must replay the bytes keeps them.

use std::collections::BTreeSet;

use crate::cursor::{Cursor, Short};

/// Longest hello that is read, in bytes of the handshake message. Twice what one record may carry: hellos with
/// post-quantum keys and tickets have a few thousand.
pub const MAX_HELLO: usize = 32 * 1024;
/// Most bytes on the wire for one hello, record headers included. Bounds what a client can make the gateway hold by
/// cutting its hello into records of one byte.
pub const MAX_WIRE: usize = 48 * 1024;
/// Longest record (RFC 8446 section 5.1).
const MAX_RECORD: usize = 1 << 14;
/// Longest server name that is kept. Host names have at most 253 bytes; a little more is read so that it can be
/// refused as a name and not as bad TLS.
const MAX_SERVER_NAME: usize = 512;

const CONTENT_HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const EXTENSION_SERVER_NAME: u16 = 0;
const EXTENSION_ALPN: u16 = 16;
const EXTENSION_SUPPORTED_VERSIONS: u16 = 43;

/// What a gateway needs of a ClientHello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello {
    /// `server_name` (RFC 6066 section 3), as sent: ASCII, 1 to 512 bytes, not yet judged as a name.
    pub server_name: Option<Box<str>>,
    /// `application_layer_protocol_negotiation` (RFC 7301), in the client's order; empty when there is none.
    pub alpn: Vec<Box<[u8]>>,
    /// The newest version that both the client and a gateway know.
    pub newest: Newest,
}

/// The newest version of TLS that a client offers, among those which a gateway speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newest {
    /// TLS 1.3 is in `supported_versions`.
    Tls13,
    /// TLS 1.2.
    Tls12,
    /// Neither: TLS 1.1 and older (RFC 8996), or only unknown ones.
    Unsupported,
}

/// Why bytes are not a ClientHello. Final: the same bytes continued differently fail alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// The first byte is an upper-case letter, as in `GET` or `PRI`.
    #[error("plain HTTP on the TLS port")]
    PlainHttp,
    /// Neither TLS nor HTTP; SSLv2-compatible hellos are here too.
    #[error("not TLS")]
    NotTls,
    /// TLS, but not a well-formed ClientHello.
    #[error("malformed ClientHello: {0}")]
    Malformed(Flaw),
    /// Longer than [`MAX_HELLO`] or [`MAX_WIRE`].
    #[error("ClientHello is too long")]
    TooLong,
}

/// What is wrong with a ClientHello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// A record of another kind where handshake bytes must be.
    #[error("another kind of record")]
    OtherRecord,
    /// A handshake record without bytes (RFC 8446 section 5.1).
    #[error("empty record")]
    EmptyRecord,
    /// Another handshake message.
    #[error("another handshake message")]
    OtherMessage,
    /// A field ends before its length says, or bytes are left over.
    #[error("a length is wrong")]
    Length,
    /// The same extension twice (RFC 8446 section 4.2).
    #[error("an extension is repeated")]
    RepeatedExtension,
    /// `server_name` is not exactly one ASCII host name of at most 512 bytes.
    #[error("server_name is invalid")]
    ServerName,
    /// The ALPN list or one of its names is empty.
    #[error("the ALPN list is invalid")]
    Alpn,
}

impl From<Short> for HelloError {
    fn from(_: Short) -> Self {
        Self::Malformed(Flaw::Length)
    }
}

/// How far a [`HelloParser`] has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The message goes on.
    NeedMore,
    /// The message is whole. Bytes after it were not looked at.
    Complete(ClientHello),
}

/// Reads one ClientHello from bytes as they arrive.
#[derive(Debug)]
pub struct HelloParser {
    record: Record,
    /// Handshake bytes, record headers removed; at most [`MAX_HELLO`].
    message: Vec<u8>,
    /// Bytes of whole records announced so far, headers included.
    wire: usize,
}

#[derive(Debug)]
enum Record {
    /// Inside a record header, after `filled` bytes whose last two, when there, are the length.
    Header { filled: usize, length: u16 },
    /// Inside a record, `left` bytes before its end.
    Body { left: usize },
}

impl Default for HelloParser {
    fn default() -> Self {
        Self { record: Record::Header { filled: 0, length: 0 }, message: Vec::new(), wire: 0 }
    }
}

impl HelloParser {
    /// Takes the bytes that follow those given before. After `Complete` or an error the parser is spent: feeding it
    /// more answers something, but nothing meaningful.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<Progress, HelloError> {
        while let Some((first, rest)) = bytes.split_first() {
            match self.record {
                Record::Header { filled, length } => {
                    self.record = self.header_byte(filled, length, *first)?;
                    bytes = rest;
                }
                Record::Body { left } => {
                    let part = left.min(self.missing()).min(bytes.len());
                    let (taken, rest) = bytes.split_at_checked(part).unwrap_or((bytes, &[]));
                    self.message.extend_from_slice(taken);
                    bytes = rest;
                    self.record = match left.saturating_sub(taken.len()) {
                        0 => Record::Header { filled: 0, length: 0 },
                        left => Record::Body { left },
                    };
                    self.check_message_header()?;
                    if self.missing() == 0 {
                        return self.body().map(Progress::Complete);
                    }
                }
            }
        }
        Ok(Progress::NeedMore)
    }

    fn header_byte(&mut self, filled: usize, length: u16, byte: u8) -> Result<Record, HelloError> {
        let first_record = self.message.is_empty();
        match filled {
            0 if byte == CONTENT_HANDSHAKE => {}
            0 if first_record && byte.is_ascii_uppercase() => return Err(HelloError::PlainHttp),
            // Change-cipher-spec, alert and application data are TLS, but nothing that a client begins with.
            0 if !first_record || (20..=24).contains(&byte) => {
                return Err(HelloError::Malformed(Flaw::OtherRecord));
            }
            0 => return Err(HelloError::NotTls),
            1 if byte != 3 => return Err(HelloError::NotTls),
            _ => {}
        }
        let length = if filled >= 3 { (length << 8) | u16::from(byte) } else { 0 };
        if filled < 4 {
            return Ok(Record::Header { filled: filled + 1, length });
        }
        let left = usize::from(length);
        self.wire = self.wire.saturating_add(5 + left);
        match left {
            0 => Err(HelloError::Malformed(Flaw::EmptyRecord)),
            _ if left > MAX_RECORD || self.wire > MAX_WIRE => Err(HelloError::TooLong),
            _ => Ok(Record::Body { left }),
        }
    }

    /// Bytes of the message's header and, once that is there, of its body that have not arrived.
    fn missing(&self) -> usize {
        let whole = match self.message.first_chunk::<4>() {
            Some([_, a, b, c]) => 4 + u32::from_be_bytes([0, *a, *b, *c]) as usize,
            None => 4,
        };
        whole.saturating_sub(self.message.len())
    }

    fn check_message_header(&self) -> Result<(), HelloError> {
        if self.message.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
            return Err(HelloError::Malformed(Flaw::OtherMessage));
        }
        let promised = self.message.len().saturating_add(self.missing());
        if promised > MAX_HELLO { Err(HelloError::TooLong) } else { Ok(()) }
    }

    fn body(&self) -> Result<ClientHello, HelloError> {
        parse_body(self.message.get(4..).unwrap_or_default())
    }
}

fn parse_body(body: &[u8]) -> Result<ClientHello, HelloError> {
    let mut hello = Cursor::new(body);
    let legacy_version = hello.u16()?;
    hello.take(32)?; // random
    let session_id = hello.vec8()?;
    let cipher_suites = hello.vec16()?;
    let compression = hello.vec8()?;
    let suites = cipher_suites.bytes().len();
    if session_id.bytes().len() > 32 || suites == 0 || !suites.is_multiple_of(2) || compression.is_empty() {
        return Err(HelloError::Malformed(Flaw::Length));
    }
    let legacy = if legacy_version >= 0x0303 { Newest::Tls12 } else { Newest::Unsupported };
    let mut found = ClientHello { server_name: None, alpn: Vec::new(), newest: legacy };
    if hello.is_empty() {
        return Ok(found); // TLS 1.2 and older allow a hello without extensions.
    }
    let mut extensions = hello.vec16()?;
    if !hello.is_empty() {
        return Err(HelloError::Malformed(Flaw::Length));
    }
    let mut seen = BTreeSet::new();
    while !extensions.is_empty() {
        let kind = extensions.u16()?;
        let data = extensions.vec16()?;
        if !seen.insert(kind) {
            return Err(HelloError::Malformed(Flaw::RepeatedExtension));
        }
        match kind {
            EXTENSION_SERVER_NAME => found.server_name = Some(server_name(data)?),
            EXTENSION_ALPN => found.alpn = alpn(data)?,
            EXTENSION_SUPPORTED_VERSIONS => found.newest = newest(data)?,
            _ => {}
        }
    }
    Ok(found)
}

fn server_name(mut data: Cursor<'_>) -> Result<Box<str>, HelloError> {
    let mut list = data.vec16()?;
    let kind = list.u8()?;
    let name = list.vec16()?.bytes();
    let text = std::str::from_utf8(name).ok().filter(|name| name.is_ascii());
    match text {
        Some(text) if (1..=MAX_SERVER_NAME).contains(&name.len()) => {
            if kind == 0 && list.is_empty() && data.is_empty() { Some(text) } else { None }
        }
        _ => None,
    }
    .map(Box::from)
    .ok_or(HelloError::Malformed(Flaw::ServerName))
}

fn alpn(mut data: Cursor<'_>) -> Result<Vec<Box<[u8]>>, HelloError> {
    let mut list = data.vec16()?;
    let mut names: Vec<Box<[u8]>> = Vec::new();
    while !list.is_empty() {
        names.push(Box::from(list.vec8()?.bytes()));
    }
    if !data.is_empty() || names.is_empty() || names.iter().any(|name| name.is_empty()) {
        return Err(HelloError::Malformed(Flaw::Alpn));
    }
    Ok(names)
}

fn newest(mut data: Cursor<'_>) -> Result<Newest, HelloError> {
    let mut list = data.vec8()?;
    if !data.is_empty() || list.is_empty() {
        return Err(HelloError::Malformed(Flaw::Length));
    }
    let mut newest = Newest::Unsupported;
    while !list.is_empty() {
        newest = match (list.u16()?, newest) {
            (0x0304, _) | (_, Newest::Tls13) => Newest::Tls13,
            (0x0303, _) => Newest::Tls12,
            (_, before) => before,
        };
    }
    Ok(newest)
}

#[cfg(test)]
mod tests;
