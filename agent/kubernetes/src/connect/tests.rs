//! Errors that people read, each with its next step and without a secret.

use std::io::Write;

use super::*;

const SECRET: &str = "s3cr3t-t0ken";

fn kubeconfig(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kubeconfig");
    std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    (directory, path)
}

fn with(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {cluster}}}]\nusers: [{{name: u, user: {user}}}]\n"
    )
}

async fn failure(options: &ClientOptions) -> String {
    match connect(options).await {
        Ok(_) => panic!("this should not connect"),
        Err(error) => federation_kit::exit::chain(&error).to_string(),
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_kubeconfig_is_said_without_its_secrets() {
    let server = "{server: \"http://127.0.0.1:1\"}";
    let cases = [
        (format!("users:\n- token: {SECRET}\n  token: {SECRET}\n bad"), "is not a kubeconfig"),
        (with("{}", "{}"), "cluster url is missing"),
        (with("{server: \"::\"}", "{}"), "parse cluster url"),
        (with("{server: \"https://h\", certificate-authority: /none}", "{}"), "/none"),
        (with(server, "{tokenFile: /none}"), "token file"),
        (
            with(
                server,
                &format!("{{exec: {{apiVersion: v1, command: sh, args: [-c, \"echo {SECRET}; exit 1\"]}}}}"),
            ),
            "credential plugin",
        ),
    ];
    for (text, told) in cases {
        let (_directory, path) = kubeconfig(&text);
        let error = failure(&ClientOptions { kubeconfig: Some(path), context: None }).await;
        assert!(error.contains(told), "{error}");
        assert!(!error.contains(SECRET), "{error}");
    }
    let (_directory, path) = kubeconfig(&with(server, "{}"));
    let error = failure(&ClientOptions { kubeconfig: Some(path), context: Some("other".to_owned()) }).await;
    assert!(error.contains("other"), "{error}");
    let error = failure(&ClientOptions { kubeconfig: None, context: Some("east".to_owned()) }).await;
    assert!(error.contains("source.kubernetes.kubeconfig"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_and_one_that_is_no_api_server_are_told_apart() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let probed = async |server: String| {
        let (_directory, path) = kubeconfig(&with(&format!("{{server: \"{server}\"}}"), "{token: t}"));
        let client = connect(&ClientOptions { kubeconfig: Some(path), context: None }).await.unwrap();
        probe(&client).await.unwrap_err()
    };
    assert!(probed(format!("http://{closed}")).await.is_refused());
    let unknown = probed("http://host.invalid:6443".to_owned()).await;
    assert!(matches!(unknown, Trouble::Unreachable { .. }), "{unknown}");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().fallback(|| async { "<html>" });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let page = probed(format!("http://{address}")).await;
    assert!(matches!(page, Trouble::Nonsense { .. }), "{page}");
}

#[test]
fn a_certificate_that_is_not_trusted_is_found_in_the_chain() {
    let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    // As hyper-rustls wraps it.
    let wrapped = std::io::Error::other(std::io::Error::other(tls));
    let wrapped = kube::Error::Service(Box::new(wrapped));
    let trouble = Trouble::of(&wrapped);
    assert!(matches!(trouble, Trouble::Certificate { .. }), "{trouble}");
    assert!(trouble.to_string().contains("certificate-authority-data"));
}
