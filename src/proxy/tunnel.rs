//! Whether a request asks for a tunnel: a WebSocket, the only one that goes through.

use http::header::{CONNECTION, SEC_WEBSOCKET_KEY, UPGRADE};
use http::request::Parts;
use http::{Method, Version};

/// Any other `Upgrade` is taken off on the way, so that its request is an ordinary one (CVE-2026-2833).
pub(super) fn is_asked_for(head: &Parts) -> bool {
    let is = |name, token: &str| {
        let lines = head.headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
        let mut tokens = lines.flat_map(|line| line.split(','));
        tokens.any(|text| text.trim().eq_ignore_ascii_case(token))
    };
    head.headers.contains_key(UPGRADE)
        && head.method == Method::GET
        && head.version == Version::HTTP_11
        && head.headers.contains_key(SEC_WEBSOCKET_KEY)
        && is(UPGRADE, "websocket")
        && is(CONNECTION, "upgrade")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &[(&str, &str)]) -> Parts {
        let request = fields
            .iter()
            .fold(http::Request::get("/"), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_a_websocket_is_a_tunnel() {
        let key = ("sec-websocket-key", "x");
        let upgrade = ("connection", "keep-alive, Upgrade");
        assert!(is_asked_for(&head(&[("upgrade", "WebSocket"), upgrade, key])));
        for fields in [
            &[("upgrade", "x"), upgrade, key][..],
            &[("upgrade", "websocket"), key],
            &[("upgrade", "websocket"), upgrade],
            &[("upgrade", "h2c"), upgrade, key],
            &[],
        ] {
            assert!(!is_asked_for(&head(fields)), "{fields:?}");
        }
    }
}
