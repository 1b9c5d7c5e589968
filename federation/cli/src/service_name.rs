//! The ways in which people name a service.

use federation_model::ServiceId;

/// The end of a service's full name.
const SUFFIX: &str = ".svc.clusterset.local";

/// Reads `name.namespace`, `namespace/name` or the full DNS name, with or without a final dot.
pub fn parse_service(text: &str) -> Result<ServiceId, String> {
    if text.contains('/') {
        return text.parse().map_err(|error| format!("{error}"));
    }
    let full = text.strip_suffix('.').unwrap_or(text);
    let short = full.strip_suffix(SUFFIX).unwrap_or(full);
    let Some((name, namespace)) = short.split_once('.') else {
        return Err("write the namespace too: echo.demo, or demo/echo".to_owned());
    };
    let namespace = namespace.parse().map_err(|error| format!("{error}"))?;
    let name = name.parse().map_err(|error| format!("{error}"))?;
    Ok(ServiceId { namespace, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_the_same_service() {
        for text in
            ["echo.demo", "demo/echo", "echo.demo.svc.clusterset.local", "echo.demo.svc.clusterset.local."]
        {
            let service = parse_service(text).unwrap();
            assert_eq!((service.namespace.as_str(), service.name.as_str()), ("demo", "echo"), "{text}");
        }
    }

    #[test]
    fn what_is_no_service_is_said_to_be_none() {
        for text in ["", "echo", "/", "demo/", "/echo", "Echo.demo", "a.b.c", "http://echo.demo/"] {
            assert!(parse_service(text).is_err(), "{text:?}");
        }
    }
}
