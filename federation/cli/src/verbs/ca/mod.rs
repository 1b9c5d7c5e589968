//! `ca`: authorities and their certificates, made, judged and converted on this machine. No server is asked, and no key
//! is shown or sent.

mod admin;
pub mod bundle;
mod files;
mod init;
mod inspect;
mod issue;
mod material;
mod verify;

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use federation_model::TrustDomain;
use federation_trust::authority::Authority;
use federation_trust::lifetime::Lifetime;
use federation_trust::{TrustError, ca};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use self::admin::admin;
pub use self::files::Target;
pub use self::init::init;
pub use self::inspect::{Inspection, inspect};
pub use self::issue::issue;
pub use self::verify::verify;
use crate::arguments::Ca;
use crate::arguments::Format;
use crate::failure::{Failure, Kind};
use crate::output::{Report, print, write};

const DAY: u64 = 24 * 3600;

/// The answer: what was made, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Whom the authority signs for: the clusterset or a cluster.
    pub trust_domain: String,
    /// SHA-256 of the authority's certificate. Join tokens carry the clusterset's.
    pub ca_sha256: String,
    /// What was written.
    pub files: Vec<PathBuf>,
}

impl Report for Made {
    fn to_text(&self) -> String {
        let mut text = format!("trust domain {}, authority {}\n", self.trust_domain, self.ca_sha256);
        for file in &self.files {
            text.push_str(&format!("  {}\n", file.display()));
        }
        text
    }
}

/// Does one of them.
///
/// # Errors
/// Each its own.
pub fn run(command: Ca, output: Format) -> Result<(), Failure> {
    match command {
        Ca::Init { clusterset, key, write } => {
            print(&init(&clusterset, write.target(), write.days, key)?, output)
        }
        Ca::Issue { ca, cluster, clusterset, trust_domain, key, secret, write } => {
            let default = TrustDomain::of_cluster(&cluster, &clusterset).map_err(|error| {
                Failure::new(Kind::Usage, format!("{cluster}.{clusterset} is no trust domain: {error}"))
            })?;
            let domain = trust_domain.as_ref().unwrap_or(&default);
            let wanted = issue::Wanted { domain, days: write.days, kind: key, secret: secret.as_deref() };
            print(&issue(&ca, &wanted, write.target())?, output)
        }
        Ca::Admin { clusterset, ca, name, out, days, force } => {
            print(&admin(&clusterset, &ca, &name, Target { dir: &out, force }, days)?, output)
        }
        Ca::Inspect { paths } => {
            let report = inspect(&paths)?;
            print(&report, output)?;
            report.verdict()
        }
        Ca::Bundle { from, trust_domain, to, sequence, refresh_hint } => {
            let wanted = bundle::Wanted { format: to, sequence, refresh_hint };
            write(bundle::convert(&trust_domain, &from, wanted)?.as_bytes())
        }
        Ca::Verify { chain, trust_domain, bundle } => print(&verify(&chain, &trust_domain, &bundle)?, output),
    }
}

fn made(authority: &Authority, files: Vec<PathBuf>) -> Made {
    Made { trust_domain: authority.domain().to_string(), ca_sha256: authority.fingerprint_hex(), files }
}

fn lifetime(days: u64) -> Lifetime {
    Lifetime::starting_at(SystemTime::now(), Duration::from_secs(days.saturating_mul(DAY)))
}

/// Seconds since the epoch as RFC 3339; the number itself for what that cannot say.
pub(super) fn date(seconds: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(seconds).ok();
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_else(|| seconds.to_string())
}

/// An error and its causes, in one line.
fn refused(what: &str, error: &dyn Error) -> Failure {
    let mut text = format!("{what}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    Failure::new(Kind::Refused, text)
}

fn trust(error: &TrustError) -> Failure {
    refused("the authority cannot be used", error)
}

/// What `ca` takes for a kind of key.
///
/// # Errors
/// When there is no such kind.
pub fn parse_key(text: &str) -> Result<ca::KeyKind, String> {
    text.parse().map_err(|error: ca::InvalidKeyKind| error.to_string())
}

#[cfg(test)]
mod tests;
