//! One file per verb: what is asked, and the report that it makes.

pub mod clusters;
pub mod completions;
pub mod explain;
pub mod members;
pub mod services;
pub mod status;
pub mod token;
pub mod version;

use crate::arguments::{Arguments, Token, Verb};
use crate::connect::Federation;
use crate::failure::Failure;
use crate::output::print;

/// Runs one verb.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { access, output, verb } = arguments;
    let connect = || Federation::connect(&access);
    match verb {
        Verb::Status => print(&status::ask(&connect()?).await?, output),
        Verb::Clusters => print(&clusters::ask(&connect()?).await?, output),
        Verb::Services => print(&services::ask(&connect()?).await?, output),
        Verb::Explain { service, from } => {
            let report = explain::ask(&connect()?, &service, &from).await?;
            print(&report, output)?;
            report.verdict()
        }
        Verb::Members => print(&members::ask(&connect()?).await?, output),
        Verb::Token(Token::Create { cluster, ttl }) => {
            let created = token::create(&connect()?, &cluster, ttl).await?;
            eprint!("{}", created.note());
            print(&created, output)
        }
        Verb::Version => print(&version::ask(&access).await, output),
        Verb::Completions { shell } => completions::run(shell),
    }
}
