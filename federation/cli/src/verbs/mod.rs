//! One file per verb: what is asked, and the report that it makes.

pub mod audit;
pub mod ca;
pub mod clusters;
pub mod completions;
pub mod explain;
pub mod members;
pub mod problems;
pub mod services;
pub mod snapshot;
pub mod status;
pub mod token;
pub mod trust;
pub mod version;

use crate::arguments::{Arguments, Format, Members, Snapshot, Token, TokenFormat, Trust, Verb};
use crate::connect::Federation;
use crate::failure::Failure;
use crate::output::{print, write};

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
        Verb::Members { command: None | Some(Members::List) } => {
            print(&members::ask(&connect()?).await?, output)
        }
        Verb::Members { command: Some(command) } => {
            print(&members::change(&connect()?, command).await?, output)
        }
        Verb::Audit { after, follow: true, .. } => audit::follow(&connect()?, after, output).await,
        Verb::Audit { after, last, follow: false } => {
            print(&audit::ask(&connect()?, after, last).await?, output)
        }
        Verb::Snapshot(Snapshot::Save { file }) => print(&snapshot::save(&connect()?, &file).await?, output),
        Verb::Snapshot(Snapshot::Inspect { file }) => print(&snapshot::inspect(&file)?, output),
        Verb::Snapshot(Snapshot::Restore { file, data_dir }) => {
            print(&snapshot::restore(&file, &data_dir)?, output)
        }
        Verb::Trust { command: None | Some(Trust::Status) } => print(&trust::ask(&connect()?).await?, output),
        Verb::Ca(command) => ca::run(command, output),
        Verb::Token(Token::Create { cluster, ttl, format, namespace, name }) => {
            let created = token::create(&connect()?, &cluster, ttl).await?;
            eprint!("{}", created.note());
            match (format, output) {
                (TokenFormat::Token, _) => print(&created, output),
                (TokenFormat::Secret, Format::Table) => write(created.secret(&namespace, &name).as_bytes()),
                (TokenFormat::Secret, Format::Json) => {
                    print(&created.secret_object(&namespace, &name), output)
                }
            }
        }
        Verb::Version => print(&version::ask(&access).await, output),
        Verb::Completions { shell } => completions::run(shell),
    }
}
