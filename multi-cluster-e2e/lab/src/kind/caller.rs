//! Calls from the pod `caller`, which has no sidecar: what an application sees.

use std::net::IpAddr;

use anyhow::{Context, ensure};

use super::command::Said;
use super::place::KindLab;
use crate::backend::Answer;
use crate::samples::NAMESPACE;

/// How the pod is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By `kubectl exec`, so by the API server.
    Exec,
    /// By the node, into the pod's namespaces: needs no API server.
    Node,
}

/// What `dig` said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dug {
    /// `NOERROR`, `NXDOMAIN` and so on.
    pub(super) status: String,
    /// The data of the records.
    pub(super) data: Vec<String>,
}

impl Dug {
    /// The addresses among the data, sorted.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        let mut found: Vec<IpAddr> = self.data.iter().filter_map(|data| data.parse().ok()).collect();
        found.sort();
        found
    }

    /// Whether the name does not exist.
    pub(super) fn is_nxdomain(&self) -> bool {
        self.status == "NXDOMAIN"
    }

    /// One line.
    pub(super) fn brief(&self) -> String {
        if self.data.is_empty() { format!("{} without records", self.status) } else { self.data.join(", ") }
    }
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// The backend's answer, or what went wrong.
    pub(super) answer: Result<Answer, String>,
    /// The address that was dialled; empty if none was.
    pub(super) dialled: String,
    /// Milliseconds, the name's look-up included.
    pub(super) millis: u64,
}

/// Before what `curl` says of itself, on a line of its own after the body.
const MARK: &str = "#curl ";

impl KindLab {
    /// Runs a command in the caller of a cluster.
    pub(super) async fn in_caller(
        &self,
        cluster: &str,
        way: Way,
        arguments: &[&str],
    ) -> anyhow::Result<Said> {
        match way {
            Way::Exec => {
                let exec = ["-n", NAMESPACE, "exec", "deploy/caller", "--"];
                self.run_kubectl(cluster, &[&exec, arguments].concat(), "").await
            }
            Way::Node => {
                let found = self.on_node(cluster, &["pgrep", "-o", "-f", "--", "--service caller "]).await?;
                let pid = found.done("no process of the pod caller")?;
                let enter =
                    ["nsenter", "--target", pid.trim(), "--mount", "--net", "--uts", "--ipc", "--pid", "--"];
                self.on_node(cluster, &[&enter, arguments].concat()).await
            }
        }
    }

    /// Calls `url` `times` times, one after the other.
    pub(super) async fn curl(
        &self,
        cluster: &str,
        way: Way,
        url: &str,
        times: u32,
    ) -> anyhow::Result<Vec<Call>> {
        let script = format!(
            "i=0; while [ $i -lt {times} ]; do curl -sS --max-time 5 -w '\\n{MARK}%{{http_code}} %{{time_total}} \
             %{{remote_ip}} %{{errormsg}}\\n' '{url}' 2>/dev/null; i=$((i+1)); done"
        );
        let said = self.in_caller(cluster, way, &["sh", "-c", &script]).await?;
        let calls = calls(&said.out);
        ensure!(
            calls.len() == usize::try_from(times)?,
            "curl ran {} of {times} times: {}{}",
            calls.len(),
            said.err.trim(),
            said.out.trim()
        );
        Ok(calls)
    }

    /// Asks the cluster's own DNS server, as every pod does.
    pub(super) async fn dig(&self, cluster: &str, way: Way, name: &str, kind: &str) -> anyhow::Result<Dug> {
        let dig = ["dig", "+noall", "+comments", "+answer", "+tries=2", name, kind];
        let said = self.in_caller(cluster, way, &dig).await?;
        parse_dig(&said.done(&format!("dig {name} {kind} in {cluster}"))?)
    }
}

fn calls(text: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut body = String::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix(MARK) else {
            body.push_str(line);
            continue;
        };
        let mut words = rest.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (status, seconds, dialled, error) = (word(), word(), word(), word());
        let answer = match status.as_str() {
            "200" => {
                serde_json::from_str(&body).map_err(|_| format!("not a sample backend's answer: {body}"))
            }
            "000" => Err(error),
            _ => Err(format!("HTTP {status}: {body}")),
        };
        calls.push(Call { answer, dialled, millis: millis(&seconds) });
        body.clear();
    }
    calls
}

/// Of seconds with a fraction.
fn millis(seconds: &str) -> u64 {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u64>().unwrap_or(0) * 1000 + thousandths.parse::<u64>().unwrap_or(0)
}

fn parse_dig(text: &str) -> anyhow::Result<Dug> {
    let status = text.split_once("status: ").and_then(|(_, rest)| rest.split(',').next());
    let status = status.with_context(|| format!("dig got no answer: {}", text.trim()))?.to_owned();
    let records = text.lines().filter(|line| !line.starts_with(';') && !line.trim().is_empty());
    let data = records.map(|line| line.split_whitespace().skip(4).collect::<Vec<_>>().join(" "));
    Ok(Dug { status, data: data.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_curl_prints_is_read_call_by_call() {
        let text = "{\"cluster\":\"west\",\"service\":\"echo\",\"pod\":\"p\",\"path\":\"/\",\"headers\":{}}\n\
                    #curl 200 0.012345 240.240.0.1 \n\n#curl 000 5.000100  Connection timed out\n";
        let calls = calls(text);
        let [good, bad] = calls.as_slice() else { panic!("{calls:?}") };
        assert_eq!(good.answer.as_ref().unwrap().cluster, "west");
        assert_eq!((good.dialled.as_str(), good.millis), ("240.240.0.1", 12));
        assert_eq!(bad.answer, Err("Connection timed out".to_owned()));
        assert_eq!(bad.millis, 5000);
    }

    #[test]
    fn what_dig_prints_is_read() {
        let found = ";; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 7\n;; flags: qr; QUERY: 1\n\n\
                     ;; ANSWER SECTION:\necho.demo.svc.clusterset.local. 30 IN A 240.240.0.1\n\
                     _http._tcp.echo.demo. 30 IN SRV 0 100 80 echo.demo.svc.clusterset.local.\n";
        let found = parse_dig(found).unwrap();
        assert_eq!(found.status, "NOERROR");
        assert_eq!(found.addresses(), ["240.240.0.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(found.data.last().unwrap(), "0 100 80 echo.demo.svc.clusterset.local.");
        let unknown = parse_dig(";; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 7\n").unwrap();
        assert!(unknown.is_nxdomain() && unknown.data.is_empty());
        assert!(parse_dig(";; no servers could be reached\n").is_err());
    }
}
