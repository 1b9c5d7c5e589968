//! The small messages that every other message holds.

use std::net::SocketAddr;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};
use envoy_types::pb::google::protobuf::{self, Any, Struct, UInt32Value, Value, value::Kind};
use prost::{Message, Name};

pub(super) fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

pub(super) fn extension<M: Message + Name>(name: &str, message: &M) -> core::TypedExtensionConfig {
    core::TypedExtensionConfig { name: name.to_owned(), typed_config: Some(any(message)) }
}

pub(super) fn address(at: SocketAddr) -> core::Address {
    let at = core::SocketAddress {
        address: at.ip().to_string(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(at.port().into())),
        ..core::SocketAddress::default()
    };
    core::Address { address: Some(core::address::Address::SocketAddress(at)) }
}

/// "Ask on the stream that you are asking on".
pub(super) fn ads() -> core::ConfigSource {
    core::ConfigSource {
        resource_api_version: core::ApiVersion::V3.into(),
        config_source_specifier: Some(core::config_source::ConfigSourceSpecifier::Ads(
            core::AggregatedConfigSource {},
        )),
        ..core::ConfigSource::default()
    }
}

pub(super) fn inline(text: String) -> core::DataSource {
    core::DataSource {
        specifier: Some(core::data_source::Specifier::InlineString(text)),
        ..core::DataSource::default()
    }
}

pub(super) fn exact(text: String) -> StringMatcher {
    StringMatcher { match_pattern: Some(MatchPattern::Exact(text)), ..StringMatcher::default() }
}

pub(super) fn prefix(text: String) -> StringMatcher {
    StringMatcher { match_pattern: Some(MatchPattern::Prefix(text)), ..StringMatcher::default() }
}

pub(super) fn number(value: u32) -> UInt32Value {
    UInt32Value { value }
}

pub(super) fn flag(value: bool) -> protobuf::BoolValue {
    protobuf::BoolValue { value }
}

pub(super) fn duration(time: Duration) -> protobuf::Duration {
    let nanos = i32::try_from(time.subsec_nanos()).unwrap_or(0);
    protobuf::Duration { seconds: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), nanos }
}

/// A struct of one field: several would have no order, and the resource no stable version.
pub(super) fn single(key: &str, value: &str) -> Struct {
    let value = Value { kind: Some(Kind::StringValue(value.to_owned())) };
    Struct { fields: [(key.to_owned(), value)].into() }
}
