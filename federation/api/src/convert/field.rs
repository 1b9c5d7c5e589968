//! Readers of single fields: each turns one raw value into a checked one or names the field.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::str::FromStr;

use super::{ConvertError, Problem};

type Read<T> = Result<T, ConvertError>;

/// A text that must parse.
pub(super) fn parse<T>(field: &str, text: &str) -> Read<T>
where
    T: FromStr,
    Problem: From<T::Err>,
{
    text.parse().map_err(|e: T::Err| ConvertError::new(field, e))
}

/// A text that must parse unless it is empty, which means absent.
pub(super) fn optional<T>(field: &str, text: &str) -> Read<Option<T>>
where
    T: FromStr,
    Problem: From<T::Err>,
{
    if text.is_empty() { Ok(None) } else { parse(field, text).map(Some) }
}

/// A part of a message that must be there.
pub(super) fn required<T>(field: &str, part: Option<T>) -> Read<T> {
    part.ok_or_else(|| ConvertError::new(field, Problem::Missing))
}

/// A message inside a message that must be there.
pub(super) fn nested<W, T: TryFrom<W, Error = ConvertError>>(field: &str, part: Option<W>) -> Read<T> {
    required(field, part)?.try_into().map_err(|e: ConvertError| e.under(field))
}

/// A list of messages, of at most `max` elements. The bound is checked before any element is looked at.
pub(super) fn list<W, T, C>(field: &str, items: Vec<W>, max: usize, convert: impl Fn(W) -> Read<T>) -> Read<C>
where
    C: FromIterator<T>,
{
    if items.len() > max {
        return Err(ConvertError::new(field, Problem::TooMany { given: items.len(), max }));
    }
    let element = |(at, item)| convert(item).map_err(|e| e.under(format_args!("{field}[{at}]")));
    items.into_iter().enumerate().map(element).collect()
}

/// A list of texts that must all parse.
pub(super) fn texts<T, C>(field: &str, items: Vec<String>, max: usize) -> Read<C>
where
    T: FromStr,
    Problem: From<T::Err>,
    C: FromIterator<T>,
{
    list(field, items, max, |text| parse("", &text))
}

/// A text of at most `max` bytes.
pub(super) fn bounded(field: &str, text: String, max: usize) -> Read<String> {
    if text.len() > max {
        return Err(ConvertError::new(field, Problem::TooLong { given: text.len(), max }));
    }
    Ok(text)
}

/// An IP address of either family, or of the one that `T` is.
pub(super) fn ip<T: FromStr + Into<IpAddr>>(field: &str, text: &str) -> Read<T> {
    text.parse().map_err(|_| ConvertError::new(field, Problem::IpAddress))
}

/// `ip:port`, with a port that can be dialled.
pub(super) fn socket_address(field: &str, text: &str) -> Read<SocketAddr> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(address),
        _ => Err(ConvertError::new(field, Problem::SocketAddress)),
    }
}

/// A number between `min` and `max`, both included.
pub(super) fn range(field: &str, given: u32, min: u32, max: u32) -> Read<u32> {
    if (min..=max).contains(&given) {
        return Ok(given);
    }
    let (given, min, max) = (given.into(), min.into(), max.into());
    Err(ConvertError::new(field, Problem::OutOfRange { given, min, max }))
}

/// A port number.
pub(super) fn port(field: &str, given: u32) -> Read<NonZeroU16> {
    let found = u16::try_from(given).ok().and_then(NonZeroU16::new);
    let wrong = || Problem::OutOfRange { given: given.into(), min: 1, max: u16::MAX.into() };
    found.ok_or_else(|| ConvertError::new(field, wrong()))
}

/// A value of an enum; zero is "unspecified" in every one of ours.
pub(super) fn variant<W: TryFrom<i32>>(field: &str, raw: i32) -> Read<W> {
    if raw == 0 {
        return Err(ConvertError::new(field, Problem::Missing));
    }
    W::try_from(raw).map_err(|_| ConvertError::new(field, Problem::UnknownValue(raw)))
}

/// How an absent name is written.
pub(super) fn text_or_empty<T: ToString>(value: Option<&T>) -> String {
    value.map(T::to_string).unwrap_or_default()
}
