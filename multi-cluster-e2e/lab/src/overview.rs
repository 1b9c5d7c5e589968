//! What a user sees when a lab is up: what runs where, what to look at, what to try.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use crate::layout::Layout;
use crate::process::Status;
use crate::samples::NAMESPACE;
use crate::state::LabState;
use crate::topology::{SERVICE_PORT, Topology};

/// How this program was called, for commands that can be pasted: its path as given.
pub fn this_program() -> String {
    std::env::args().next().unwrap_or_else(|| "isthmus-lab".to_owned())
}

/// The whole text. `program` begins every command to try.
pub fn text(state: &LabState, program: &str) -> String {
    let mut out = String::new();
    let root = state.root();
    put(&mut out, format_args!("{}", processes(state)));
    put(&mut out, format_args!("\nYAML to edit (saved changes take effect at once):\n"));
    for cluster in &state.topology.clusters {
        put(&mut out, format_args!("  {:<10} {}\n", cluster.id.as_str(), cluster.manifests.display()));
    }
    let dir = format!(" --dir {}", root.display());
    put(&mut out, format_args!("\nTry:\n"));
    for command in commands(&state.topology) {
        put(&mut out, format_args!("  {program} {}{dir}{}\n", command.before, command.after));
    }
    let isthmus = Path::new(program).with_file_name("isthmus");
    let servers: Vec<String> = state.topology.api_addresses().iter().map(ToString::to_string).collect();
    let identity = Layout::admin_of(root);
    put(
        &mut out,
        format_args!(
            "  {} --servers {} --identity {} status\n",
            isthmus.display(),
            servers.join(","),
            identity.display()
        ),
    );
    let end =
        if state.removed_at_end { "is removed when the lab ends; up --dir DIR keeps it" } else { "is kept" };
    put(
        &mut out,
        format_args!("\n{} {end}. To end the lab: Ctrl-C here, or {program} down{dir}\n", root.display()),
    );
    out
}

struct Command {
    before: String,
    after: &'static str,
}

fn commands(topology: &Topology) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut add = |before: String, after| commands.push(Command { before, after });
    if let [first, second, ..] = topology.clusters.as_slice() {
        let echo = format!("echo.{NAMESPACE}.svc.clusterset.local");
        let (east, west) = (&first.id, &second.id);
        add(format!("curl {east} http://{echo}:{SERVICE_PORT}/"), "");
        if first.envoy.is_some() {
            add(format!("curl {east} http://{echo}:{SERVICE_PORT}/ --envoy"), "");
        }
        add(format!("dig {east} {echo}"), "");
        add(format!("stop {west}-echo-1"), "");
        add(format!("logs {west}-gateway"), " -f");
    }
    add("stop server-1 --hard".to_owned(), "");
    commands
}

fn processes(state: &LabState) -> String {
    let mut rows: Vec<[String; 4]> = vec![["PROCESS", "STATE", "SERVES", "STATUS AT"].map(str::to_owned)];
    let mut row = |name: String, serves: String, http: Option<SocketAddr>| {
        let status = state.processes.get(&name).map(|process| &process.status);
        let status = match status {
            Some(Status::Running { pid, .. }) => format!("pid {pid}"),
            Some(Status::Stopped) => "stopped".to_owned(),
            Some(Status::Exited { how }) => how.clone(),
            None => "not started".to_owned(),
        };
        rows.push([name, status, serves, http.map(|at| format!("http://{at}/status")).unwrap_or_default()]);
    };
    for server in &state.topology.servers {
        row(server.name(), format!("gRPC {}, Raft {}", server.api, server.raft), Some(server.http));
    }
    for cluster in &state.topology.clusters {
        row(cluster.agent_name(), format!("DNS {}", cluster.dns), Some(cluster.agent_http));
        let egress = format!("mTLS {}, egress {}", cluster.gateway, cluster.vip_view());
        row(cluster.gateway_name(), egress, Some(cluster.gateway_http));
        if let Some(envoy) = &cluster.envoy {
            let serves = format!("HTTP by Host {}, admin {}", envoy.outbound, envoy.admin);
            row(cluster.envoy_name(), serves, None);
        }
        for backend in &cluster.backends {
            row(backend.name(), format!("HTTP {}", backend.address), None);
        }
    }
    table(&rows)
}

/// Columns as wide as their widest cell, two spaces apart; the last one is not padded.
fn table(rows: &[[String; 4]]) -> String {
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let mut out = String::new();
    for [name, state, serves, status] in rows {
        let [a, b, c] = widths;
        let line = format!("{name:<a$}  {state:<b$}  {serves:<c$}  {status}");
        put(&mut out, format_args!("{}\n", line.trim_end()));
    }
    out
}

/// Writing to a `String` cannot fail.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 4]| cells.map(str::to_owned);
        let text = table(&[row(["NAME", "STATE", "SERVES", "AT"]), row(["longer-name", "x", "y", ""])]);
        assert_eq!(text, "NAME         STATE  SERVES  AT\nlonger-name  x      y\n");
    }
}
