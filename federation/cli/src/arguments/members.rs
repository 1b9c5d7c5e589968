//! `members`: what may be asked about the federation servers.

use clap::Subcommand;
use federation_client::servers::is_host_port;

use super::parse_ttl;

const EXAMPLES: &str = "\
Examples:
  isthmus members
  isthmus members list -o json
  isthmus members add 4 --api s4.example:7400 --raft s4.example:7401 --promote
  isthmus members promote 4
  isthmus members transfer-leadership --to 2
  isthmus members remove 3

A dead server is replaced by two commands, once an empty one with its number runs with join = true:
  isthmus members remove 3
  isthmus members add 3 --api s3.example:7400 --raft s3.example:7401 --promote";

/// What may be asked about the servers.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Members {
    /// Who they are, and how far their logs are; the default.
    List,
    /// Adds an empty server, which runs with join = true, as a learner: it is sent the log and does not vote yet.
    Add {
        /// Its number.
        id: u64,
        /// Where agents and operators reach it.
        #[arg(long, value_name = "HOST:PORT", value_parser = parse_host_port)]
        api: String,
        /// Where the other servers reach it.
        #[arg(long, value_name = "HOST:PORT", value_parser = parse_host_port)]
        raft: String,
        /// Waits until it could be promoted.
        #[arg(long)]
        wait: bool,
        /// Waits until it can be promoted, and promotes it.
        #[arg(long)]
        promote: bool,
        /// How long to wait: 90s, 30m, 12h.
        #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_ttl)]
        timeout: u64,
    },
    /// Lets a learner vote. Refused while it lacks more than a little of the log.
    Promote {
        /// Its number.
        id: u64,
    },
    /// Removes a server, dead or alive. A leader hands over first. The last voter cannot be removed.
    Remove {
        /// Its number.
        id: u64,
    },
    /// Lets another voter lead.
    TransferLeadership {
        /// Which; whichever has most of the log if it is not given.
        #[arg(long, value_name = "ID")]
        to: Option<u64>,
    },
}

fn parse_host_port(text: &str) -> Result<String, String> {
    let wrong = || "write HOST:PORT, like s4.example:7400".to_owned();
    is_host_port(text).then(|| text.to_owned()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Verb};

    fn parse(line: &str) -> Option<Verb> {
        let words = std::iter::once("isthmus").chain(line.split(' '));
        Arguments::try_parse_from(words).ok().map(|arguments| arguments.verb)
    }

    #[test]
    fn the_list_is_the_default_and_addresses_are_checked() {
        let members = |command| Some(Verb::Members { command });
        assert_eq!(parse("members"), members(None));
        assert_eq!(parse("members list"), members(Some(Members::List)));
        assert_eq!(parse("members promote 4"), members(Some(Members::Promote { id: 4 })));
        let add = Members::Add {
            id: 4,
            api: "a:1".to_owned(),
            raft: "a:2".to_owned(),
            wait: true,
            promote: false,
            timeout: 300,
        };
        assert_eq!(parse("members add 4 --api a:1 --raft a:2 --wait"), members(Some(add)));
        let transfer = Members::TransferLeadership { to: Some(2) };
        assert_eq!(parse("members transfer-leadership --to 2"), members(Some(transfer)));
        for wrong in
            ["members add 4", "members add 4 --api a --raft a:2", "members remove", "members remove x"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
