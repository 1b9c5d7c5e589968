//! `version`: of this program and of a server.

use serde::Serialize;

use crate::arguments::Access;
use crate::connect::Federation;
use crate::output::Report;

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// Of this program.
    pub client: &'static str,
    /// Of the server that answered.
    pub server: Option<String>,
    /// Why no server's is known.
    pub server_unknown: Option<String>,
}

/// Asks. That no server answers is no failure: the program's own version is known anyway.
pub async fn ask(access: &Access) -> Version {
    let client = env!("CARGO_PKG_VERSION");
    let server = async { Federation::connect(access)?.status().await };
    match server.await {
        Ok(status) => Version { client, server: Some(status.version), server_unknown: None },
        Err(failure) => Version { client, server: None, server_unknown: Some(failure.cause().to_owned()) },
    }
}

impl Report for Version {
    fn to_text(&self) -> String {
        let server = match (&self.server, &self.server_unknown) {
            (Some(version), _) => version.clone(),
            (None, Some(why)) => format!("unknown ({why})"),
            (None, None) => "unknown".to_owned(),
        };
        format!("isthmus  {}\nserver   {server}\n", self.client)
    }
}
