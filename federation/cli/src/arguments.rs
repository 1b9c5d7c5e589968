//! The command line.

mod ca;
mod members;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use federation_model::{ClusterId, ServiceId};

pub use self::ca::{BundleFormat, Ca, Write};
pub use self::members::Members;
use crate::service_name::parse_service;

const EXAMPLES: &str = "\
Examples:
  isthmus status
  isthmus services
  isthmus explain echo.demo --from east
  isthmus token create --cluster north --ttl 1h
  isthmus token create --cluster north --format secret | kubectl apply -f -
  isthmus ca init --clusterset lab --out ./ca
  isthmus ca issue --ca ./ca --clusterset lab --cluster east --out ./east
  isthmus trust status
  isthmus members -o json
  isthmus audit --follow
  isthmus snapshot save catalogue.backup
  isthmus members add 4 --api s4.example:7400 --raft s4.example:7401 --promote

Where the servers are and who is asking may be given by ISTHMUS_SERVERS and ISTHMUS_IDENTITY.

Exit codes:
  0  done
  1  the answer is no: nothing can be reached, or a request was refused
  2  the command line is wrong
  3  no server could be reached
  4  the servers do not accept this identity
  5  what was asked for does not exist";

const SNAPSHOT_EXAMPLES: &str = "\
Examples:
  isthmus snapshot save catalogue.backup
  isthmus snapshot inspect catalogue.backup -o json

Into new servers, at whatever addresses, of the same clusterset and certificate authority; the same file on each:
  isthmus snapshot restore catalogue.backup --data-dir /var/lib/isthmus";

/// Asks a clusterset's federation servers.
#[derive(Debug, Parser)]
#[command(name = "isthmus", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// Whom to ask, and as whom.
    #[command(flatten)]
    pub access: Access,
    /// How the answer is printed.
    #[arg(short, long, value_enum, global = true, default_value_t = Format::Table)]
    pub output: Format,
    /// What to ask.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Whom to ask, and as whom.
#[derive(Debug, Clone, clap::Args)]
pub struct Access {
    /// The federation servers, tried in this order: host:port, separated by commas.
    #[arg(long, global = true, env = "ISTHMUS_SERVERS", value_name = "HOST:PORT,...", value_delimiter = ',')]
    pub servers: Vec<String>,
    /// A directory with cert.pem, key.pem and ca.pem: an operator's certificate and the clusterset's authority.
    #[arg(long, global = true, env = "ISTHMUS_IDENTITY", value_name = "DIR")]
    pub identity: Option<PathBuf>,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs: one JSON document.
    Json,
}

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Verb {
    /// How the federation is doing.
    Status,
    /// The clusters, their gateways and whether they are alive.
    Clusters,
    /// The services of the clusterset, and who exports them.
    Services,
    /// Why calls to a service go where they go, or go nowhere.
    Explain {
        /// The service: echo.demo, demo/echo or echo.demo.svc.clusterset.local.
        #[arg(value_parser = parse_service)]
        service: ServiceId,
        /// As seen from this cluster.
        #[arg(long, value_name = "CLUSTER")]
        from: ClusterId,
    },
    /// The federation servers: who they are, and changes of that.
    Members {
        /// What; the list if nothing is given.
        #[command(subcommand)]
        command: Option<Members>,
    },
    /// Who changed what, and when: the last changes, oldest first.
    ///
    /// The servers keep the last 8,192 changes, and besides them as many comings and goings of endpoints.
    Audit {
        /// Only changes after the one with this number.
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: u64,
        /// At most so many, the newest.
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        last: usize,
        /// Go on with changes as they come, until interrupted. With -o json: one document a line.
        #[arg(long, conflicts_with = "last")]
        follow: bool,
    },
    /// Backups of the catalogue.
    #[command(subcommand)]
    Snapshot(Snapshot),
    /// Who may sign for which trust domain.
    Trust {
        /// What; the status if nothing is given.
        #[command(subcommand)]
        command: Option<Trust>,
    },
    /// Authorities and their certificates, of the clusterset and of clusters; no server is asked.
    #[command(subcommand)]
    Ca(Ca),
    /// Join tokens.
    #[command(subcommand)]
    Token(Token),
    /// The version of this program and, if one can be reached, of a server.
    Version,
    /// Prints a completion script.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// What may be asked about join tokens.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Token {
    /// Makes a token with which one cluster can join, once. It is shown only now.
    Create {
        /// The cluster that may join with it.
        #[arg(long)]
        cluster: ClusterId,
        /// How long it is good for: 90s, 30m, 12h, 7d.
        #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_ttl)]
        ttl: u64,
        /// The token alone, or a Secret for the agent's cluster.
        #[arg(long, value_enum, default_value_t = TokenFormat::Token)]
        format: TokenFormat,
        /// The namespace of the Secret: the agent's.
        #[arg(long, default_value = "isthmus-system", value_parser = parse_label)]
        namespace: String,
        /// The name of the Secret.
        #[arg(long, default_value = "isthmus-join", value_parser = parse_label)]
        name: String,
    },
}

/// What may be asked about trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Trust {
    /// Every trust domain, its authorities, until when they may sign, and what is wrong or soon will be.
    Status,
}

/// What may be done with backups.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
#[command(after_help = SNAPSHOT_EXAMPLES)]
pub enum Snapshot {
    /// Saves everything that was acknowledged until now into a file, and reads it back.
    Save {
        /// Must not be there yet.
        file: PathBuf,
    },
    /// Reads a file whole, and says what is in it. No server is asked.
    Inspect {
        /// A file that `snapshot save` made.
        file: PathBuf,
    },
    /// Puts a backup into the empty data directory of a new server, which begins with it. No server is asked.
    Restore {
        /// A file that `snapshot save` made.
        file: PathBuf,
        /// `data_dir` of the new server.
        #[arg(long, value_name = "DIR")]
        data_dir: PathBuf,
    },
}

/// How a token is handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TokenFormat {
    /// The token and nothing else.
    Token,
    /// A Kubernetes Secret with the token under the key `token`, for `kubectl apply -f -`.
    Secret,
}

/// A name that Kubernetes takes for a namespace or a Secret (RFC 1123 label).
pub fn parse_label(text: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = (1..=63).contains(&text.len())
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-');
    let wrong =
        || "write at most 63 lower-case letters, digits and dashes, none of these at an end".to_owned();
    good.then(|| text.to_owned()).ok_or_else(wrong)
}

/// Seconds of a time like `90s`, `30m`, `12h` or `7d`: at least a second, at most seven days.
pub fn parse_ttl(text: &str) -> Result<u64, String> {
    const MAX: u64 = 7 * 24 * 3600;
    let unit = text.chars().next_back().unwrap_or_default();
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return Err("write a number and s, m, h or d, like 30m".to_owned()),
    };
    let number: u64 = text
        .strip_suffix(unit)
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| "write a whole number and s, m, h or d, like 30m".to_owned())?;
    match number.checked_mul(seconds) {
        Some(0) => Err("no time at all is too little".to_owned()),
        Some(total) if total <= MAX => Ok(total),
        _ => Err("at most 7d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn names_of_kubernetes_objects_are_checked() {
        for good in ["a", "isthmus-join", "0", &"a".repeat(63)] {
            assert_eq!(parse_label(good).as_deref(), Ok(good));
        }
        for wrong in ["", "-a", "a-", "A", "a.b", "a\nb", "a: b", &"a".repeat(64)] {
            assert!(parse_label(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn times_are_read_with_their_unit() {
        let cases = [
            ("90s", Some(90)),
            ("30m", Some(1_800)),
            ("12h", Some(43_200)),
            ("7d", Some(604_800)),
            ("8d", None),
            ("0s", None),
            ("10", None),
            ("", None),
            ("-1h", None),
            ("1.5h", None),
            ("99999999999999999999d", None),
            ("18446744073709551615d", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse_ttl(text).ok(), seconds, "{text:?}");
        }
    }
}
