//! What is spoken on a port: `appProtocol` first, else the port name's prefix, as Istio reads them.

use federation_model::ServicePort;
use federation_model::data_plane::AppProtocol;
use federation_model::export::Protocol;

/// What a proxy may assume of `port`. An `appProtocol` that is given but not known means plain TCP: guessing HTTP
/// from the name against an explicit statement would break the port.
pub fn app_protocol(port: &ServicePort) -> AppProtocol {
    if port.protocol != Protocol::Tcp {
        return AppProtocol::Tcp;
    }
    match (&port.app_protocol, &port.name) {
        (Some(stated), _) => by_word(&stated.to_ascii_lowercase()),
        (None, Some(name)) => by_word(name.as_str().split('-').next().unwrap_or_default()),
        (None, None) => AppProtocol::Tcp,
    }
}

fn by_word(word: &str) -> AppProtocol {
    match word {
        "http" | "kubernetes.io/ws" => AppProtocol::Http,
        "http2" | "h2c" | "grpc" | "kubernetes.io/h2c" => AppProtocol::Http2,
        _ => AppProtocol::Tcp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_wins_over_the_name_and_the_name_over_nothing() {
        use AppProtocol::{Http, Http2, Tcp};
        let cases = [
            (Some("http"), None, Http),
            (Some("HTTP"), None, Http),
            (Some("kubernetes.io/h2c"), None, Http2),
            (Some("kubernetes.io/ws"), None, Http),
            (Some("https"), Some("http"), Tcp),
            (Some("example.com/own"), Some("http"), Tcp),
            (None, Some("http"), Http),
            (None, Some("http-web"), Http),
            (None, Some("http2"), Http2),
            (None, Some("grpc-api"), Http2),
            (None, Some("h2c"), Http2),
            (None, Some("httpx"), Tcp),
            (None, Some("web"), Tcp),
            (None, None, Tcp),
        ];
        for (stated, name, expected) in cases {
            let port = ServicePort {
                name: name.map(|n: &str| n.parse().unwrap()),
                protocol: Protocol::Tcp,
                app_protocol: stated.map(str::to_owned),
                port: 80.try_into().unwrap(),
            };
            assert_eq!(app_protocol(&port), expected, "{stated:?} {name:?}");
            assert_eq!(
                app_protocol(&ServicePort { protocol: Protocol::Udp, ..port }),
                Tcp,
                "{stated:?} {name:?}"
            );
        }
    }
}
