use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only the parsing is of interest")]
struct Sample {
    id: u64,
    listen: std::net::SocketAddr,
    ca: Option<Ca>,
    #[serde(default)]
    members: Vec<Ca>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only the parsing is of interest")]
struct Ca {
    cert: String,
}

fn problem(text: &str) -> String {
    parse::<Sample>(Path::new("server.toml"), text).unwrap_err().to_string()
}

#[test]
fn a_value_of_the_wrong_kind_is_named_with_its_key() {
    assert_eq!(
        problem("id = \"one\"\nlisten = \"127.0.0.1:1\"\n"),
        "server.toml:1:6: `id`: invalid type: string \"one\", expected u64"
    );
}

#[test]
fn a_value_that_does_not_parse_is_named_with_its_key() {
    assert_eq!(
        problem("id = 1\nlisten = \"nowhere\"\n"),
        "server.toml:2:10: `listen`: invalid socket address syntax"
    );
}

#[test]
fn an_unknown_key_in_a_table_is_named_with_its_path() {
    let message = problem("id = 1\nlisten = \"127.0.0.1:1\"\n\n[ca]\ncert = \"x\"\n  kee = \"y\"\n");
    assert_eq!(message, "server.toml:6:3: `ca.kee`: unknown field `kee`, expected `cert`");
}

#[test]
fn a_key_of_an_array_of_tables_is_named_with_its_line() {
    let message =
        problem("id = 1\nlisten = \"127.0.0.1:1\"\n[[members]]\ncert = \"x\"\n[[members]] # two\ncert = 2\n");
    assert!(message.starts_with("server.toml:6:8: `members.cert`: invalid type"), "{message}");
}

#[test]
fn a_missing_key_names_the_key() {
    let message = problem("id = 1\n");
    assert!(message.contains("missing field `listen`"), "{message}");
}

#[test]
fn text_that_is_not_toml_names_the_place() {
    let message = problem("id = 1\nlisten = \n");
    assert!(message.starts_with("server.toml:2:"), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn a_rule_over_several_keys_names_its_key() {
    let error = ConfigError::invalid(Path::new("a.toml"), "vips.v4", "overlaps `vip_view`");
    assert_eq!(error.to_string(), "a.toml: `vips.v4`: overlaps `vip_view`");
}

#[test]
fn a_missing_file_is_named() {
    let error = load::<Sample>(Path::new("/nonexistent/server.toml")).unwrap_err();
    let chain = crate::exit::chain(&error).to_string();
    assert!(chain.contains("cannot read /nonexistent/server.toml"), "{chain}");
}
