//! The gateway lets nobody in without a certificate, nor with one that the right authority did not sign, even if it says
//! the right name.

use anyhow::{Context, ensure};

use crate::kind::caller::Way;
use crate::kind::stage::{EAST, SYSTEM, Stage, WEST, host};

pub(in crate::kind) async fn run(stage: &Stage) -> anyhow::Result<String> {
    let jsonpath = "jsonpath={.spec.ports[0].nodePort}";
    let port =
        stage.lab.kubectl(WEST, &["-n", SYSTEM, "get", "service", "isthmus-gateway", "-o", jsonpath]).await?;
    let gateway = format!("{}:{}", stage.lab.node_address(WEST).await?, port.trim());
    let anonymous = dial(stage, &gateway, "true", "").await?;
    ensure!(anonymous.contains("certificate required"), "without a certificate: {anonymous}");
    let make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj / -addext \
                subjectAltName=URI:spiffe://east.lab/isthmus/gateway -keyout /tmp/key.pem -out /tmp/cert.pem 2>/dev/null";
    let forged = dial(stage, &gateway, make, "-cert /tmp/cert.pem -key /tmp/key.pem").await?;
    let forged =
        alert(&forged).with_context(|| format!("with a forged identity of {EAST}'s gateway: {forged}"))?;
    Ok(format!(
        "at the gateway of {WEST}, {gateway}: without a certificate \"certificate required\"; with spiffe://east.lab/isthmus/\
         gateway signed by itself \"{forged}\""
    ))
}

/// What `openssl s_client` is told by the gateway when it asks for echo.
async fn dial(stage: &Stage, gateway: &str, before: &str, arguments: &str) -> anyhow::Result<String> {
    let sni = format!("outbound_.80_._.{}", host("echo"));
    // The request is held open until the gateway has judged: in TLS 1.3 that is after the client's own handshake.
    let script = format!(
        "{before} && (printf 'GET / HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n'; sleep 2) | openssl s_client -quiet -verify_quiet \
         -connect {gateway} -servername {sni} -alpn istio {arguments} 2>&1 || true"
    );
    let said = stage.lab.in_caller(EAST, Way::Exec, &["sh", "-c", &script]).await?;
    let said = format!("{}{}", said.out, said.err);
    ensure!(!said.contains("HTTP/1.1 200"), "a stranger was answered: {said}");
    Ok(said)
}

/// The TLS alert (RFC 8446 section 6) that ended it, in OpenSSL's words.
fn alert(said: &str) -> Option<&str> {
    said.split_once(" alert ")?.1.split(':').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_found_and_an_answer_is_none() {
        let said = "error:0A000416:SSL routines:ssl3_read_bytes:sslv3 alert certificate unknown:rec.c:1601:SSL alert 46";
        assert_eq!(alert(said), Some("certificate unknown"));
        assert_eq!(alert("depth=1 CN = Isthmus CA\n"), None);
    }
}
