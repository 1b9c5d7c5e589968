//! Every name that is not ours, asked at the configured upstreams.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Query, ResponseCode};
use hickory_proto::rr::{Name, Record};
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::{Resolver, TokioResolver};

use super::wire::Sections;

/// Answers kept, each for its own time to live.
const CACHED: u64 = 4_096;
/// Times that an upstream is asked again after silence.
const ATTEMPTS: usize = 2;

/// Asks the upstreams. They are taken to know the same names: whoever answers soonest is asked.
#[derive(Clone)]
pub struct Forwarder(TokioResolver);

impl std::fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Forwarder")
    }
}

impl Forwarder {
    /// A forwarder to `upstream`, which gives up after `timeout`.
    pub fn new(upstream: &[SocketAddr], timeout: Duration) -> Result<Self, NetError> {
        let servers = upstream.iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
            // An upstream's "no" is believed: the next one has the same names, or the list is a mistake.
            NameServerConfig::new(server.ip(), true, connections.into())
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        let mut options = ResolverOpts::default();
        options.timeout = timeout / u32::try_from(ATTEMPTS).unwrap_or(1);
        options.attempts = ATTEMPTS - 1; // Besides the first.
        options.cache_size = CACHED;
        options.use_hosts_file = ResolveHosts::Never;
        options.preserve_intermediates = true; // CNAMEs belong to the answer.
        // The one that answered soonest lately is asked; one that was silent is asked last.
        options.server_ordering_strategy = ServerOrderingStrategy::QueryStatistics;
        options.num_concurrent_reqs = 1;
        options.try_tcp_on_error = true;
        let resolver = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        Ok(Self(resolver.with_options(options).build()?))
    }

    /// Asks. Silence of every upstream is SERVFAIL.
    pub async fn ask(&self, query: &Query) -> (ResponseCode, Sections) {
        let mut name = query.name().clone();
        name.set_fqdn(true); // No search list.
        match self.0.lookup(name.clone(), query.query_type()).await {
            Ok(found) => {
                let answers = restore_case(found.answers(), query.name());
                let authorities = found.authorities().to_vec();
                let additionals = found.additionals().to_vec();
                (ResponseCode::NoError, Sections { answers, authorities, additionals })
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
                let soa = none.soa.map(|soa| soa.into_record_of_rdata());
                let authorities = soa.into_iter().collect();
                (none.response_code, Sections { authorities, ..Sections::default() })
            }
            Err(NetError::Dns(DnsError::ResponseCode(code))) => (code, Sections::default()),
            Err(error) => {
                tracing::debug!(%error, "no upstream answered");
                (ResponseCode::ServFail, Sections::default())
            }
        }
    }
}

/// A cached answer has the case of the question that it was cached for.
fn restore_case(answers: &[Record], asked: &Name) -> Vec<Record> {
    let mut answers = answers.to_vec();
    for record in answers.iter_mut().filter(|record| record.name == *asked) {
        record.name = asked.clone();
    }
    answers
}
