//! `isthmus ca` beside OpenSSL: what the one makes the other believes, and what is wrong is refused with what to do.

use std::path::Path;

use anyhow::ensure;
use multi_cluster_e2e_scenarios::{Ended, run};
use tokio::process::Command;

/// Makes a self-signed certificate of an authority, `cert.pem`, and its key, `key.pem`, changed by more arguments.
const MAKE: &str =
    "openssl req -x509 -nodes -subj '/O=Example, Inc./CN=Root' -days 30 -keyout ca-key.pem -out ca-cert.pem";
const EC: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";
/// OpenSSL itself adds that it is an authority, and no key usage.
const SIGNS: &str = "-addext keyUsage=critical,keyCertSign,cRLSign";

/// Runs a line of shell in `dir`, which must do what it says.
async fn sh(dir: &Path, line: &str) -> anyhow::Result<String> {
    let ended = Command::new("sh").args(["-ec", line]).current_dir(dir).output().await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&ended.stdout), text(&ended.stderr));
    ensure!(ended.status.success(), "{line}: {out}{err}");
    Ok(out)
}

async fn ca(args: &[&str]) -> anyhow::Result<Ended> {
    run("isthmus", &[&["ca"], args].concat()).await
}

async fn made(args: &[&str]) -> anyhow::Result<()> {
    let ended = ca(args).await?;
    ensure!(ended.code == Some(0), "{args:?}: {}", ended.said());
    Ok(())
}

fn path(dir: &Path, name: &str) -> String {
    dir.join(name).display().to_string()
}

async fn issue(root: &Path, out: &str) -> anyhow::Result<Ended> {
    ca(&["issue", "--ca", &path(root, ""), "--clusterset", "lab", "--cluster", "east", "--out", out]).await
}

#[tokio::test]
async fn openssl_believes_what_we_issue_by_its_own_root_and_by_no_other() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    for (kind, out) in [("ecdsa-p256", "one"), ("rsa-3072", "other")] {
        made(&["init", "--clusterset", "lab", "--out", &path(dir, out), "--key", kind]).await?;
    }
    let east = issue(&dir.join("one"), &path(dir, "east")).await?;
    assert_eq!(east.code, Some(0), "{}", east.said());
    sh(dir, "openssl verify -x509_strict -CAfile one/root-cert.pem east/ca-cert.pem").await?;
    for clusterset in ["one", "other"] {
        let strict = "openssl verify -x509_strict -purpose sslclient";
        let line = format!(
            "{strict} -CAfile {clusterset}/root-cert.pem -untrusted {clusterset}/ca.pem {clusterset}/admin/cert.pem"
        );
        sh(dir, &line).await?;
    }
    let foreign = "openssl verify -CAfile other/root-cert.pem east/ca-cert.pem";
    assert!(sh(dir, foreign).await.is_err(), "another root says nothing of it");
    // A path length of zero: nobody believes what an authority below it signs.
    let key = "openssl req -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout";
    let below = format!(
        "{key} below.key -subj /CN=below -out below.csr && {key} leaf.key -subj /CN=leaf -out leaf.csr && \
         printf 'basicConstraints=critical,CA:TRUE\\nkeyUsage=critical,keyCertSign\\n' > ca.ext && \
         openssl x509 -req -in below.csr -CA east/ca-cert.pem -CAkey east/ca-key.pem -extfile ca.ext -out below.pem && \
         openssl x509 -req -in leaf.csr -CA below.pem -CAkey below.key -out leaf.pem && \
         cat below.pem east/ca-cert.pem > above.pem"
    );
    sh(dir, &below).await?;
    let refused = sh(dir, "openssl verify -CAfile one/root-cert.pem -untrusted above.pem leaf.pem").await;
    assert!(refused.unwrap_err().to_string().contains("path length constraint exceeded"));
    Ok(())
}

#[tokio::test]
async fn authorities_that_openssl_made_are_taken() -> anyhow::Result<()> {
    let rsa = format!("{MAKE} -newkey rsa:2048 {SIGNS}");
    let lines = [
        format!("{MAKE} {EC} {SIGNS}"),
        format!("{MAKE} {EC} {SIGNS} && openssl ec -in ca-key.pem -out sec1.pem && mv sec1.pem ca-key.pem"),
        // As `openssl ecparam -genkey` writes it, the name of the curve before the key.
        format!(
            "openssl ecparam -name prime256v1 -genkey -out k.pem && {} -key k.pem {SIGNS} && mv k.pem ca-key.pem",
            MAKE.replace("-keyout ca-key.pem ", "")
        ),
        rsa.clone(),
        format!("{rsa} && openssl rsa -traditional -in ca-key.pem -out pkcs1.pem && mv pkcs1.pem ca-key.pem"),
        // The names of cert-manager.
        format!(
            "{MAKE} {EC} {SIGNS} && cp ca-cert.pem ca.crt && mv ca-cert.pem tls.crt && mv ca-key.pem tls.key"
        ),
    ];
    for line in lines {
        let dir = tempfile::tempdir()?;
        let dir = dir.path();
        sh(dir, &line).await?;
        let looked = ca(&["inspect", &path(dir, "")]).await?;
        assert_eq!(looked.code, Some(0), "{line}: {}", looked.said());
        let east = issue(dir, &path(dir, "east")).await?;
        assert_eq!(east.code, Some(0), "{line}: {}", east.said());
        sh(dir, "openssl verify -CAfile east/root-cert.pem east/ca-cert.pem").await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_authority_that_is_of_no_use_is_refused_with_what_to_do() -> anyhow::Result<()> {
    let good = format!("{MAKE} {EC} {SIGNS}");
    let cases = [
        (
            format!("{MAKE} {EC} -addext basicConstraints=critical,CA:FALSE"),
            "give the certificate that signed it",
        ),
        (format!("{MAKE} {EC} -addext keyUsage=critical,cRLSign"), "have it issued with that key usage"),
        (format!("{MAKE} {EC}"), "key usage lacks keyCertSign"),
        (format!("{MAKE} {SIGNS} -newkey rsa:1024"), "RSA of 2048 bits or more"),
        (format!("{MAKE} {SIGNS} -newkey ed25519"), "have it issued with ECDSA"),
        (format!("{MAKE} {EC} {SIGNS} -sha1"), "have it issued with SHA-256 or better"),
        (
            format!("{good} -addext basicConstraints=critical,CA:TRUE,pathlen:0"),
            "have it issued with a greater one",
        ),
        (
            format!(
                "{good} && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca-key.pem"
            ),
            "does not belong to",
        ),
        (
            format!(
                "{good} && openssl ec -in ca-key.pem -aes256 -passout pass:secret -out x && mv x ca-key.pem"
            ),
            "decrypt it first",
        ),
        (
            format!("{good} && cp ca-cert.pem one && {good} && cat ca-cert.pem one > cert-chain.pem"),
            "leave in the file only",
        ),
        (format!("{good} && echo nonsense > ca-cert.pem"), "no certificate"),
        (format!("{good} && echo nonsense > ca-key.pem"), "no readable private key"),
    ];
    for (line, wanted) in cases {
        let dir = tempfile::tempdir()?;
        let dir = dir.path();
        sh(dir, &line).await?;
        let secret = std::fs::read_to_string(dir.join("ca-key.pem"))?;
        let refused = issue(dir, &path(dir, "east")).await?;
        assert_eq!(refused.code, Some(1), "{line}: {}", refused.said());
        assert!(refused.err.contains(wanted), "{line}: {wanted:?} is not in {}", refused.said());
        let told = refused.said();
        let lines = secret.lines().filter(|line| line.len() > 20 && !line.starts_with('-'));
        assert!(lines.into_iter().all(|line| !told.contains(line)), "a key was shown");
        assert!(!dir.join("east").exists(), "something was written");
    }
    Ok(())
}
