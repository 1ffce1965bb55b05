//! An accepted handshake, and its response.

use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{HeaderValue, Response, StatusCode};

/// The values of the response to an accepted handshake.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    /// The value of `Sec-WebSocket-Accept`. `None` over HTTP/2, which has no key.
    accept_key: Option<HeaderValue>,
    subprotocol: Option<HeaderValue>,
}

impl Accepted {
    pub(super) fn new(accept_key: Option<HeaderValue>, subprotocol: Option<HeaderValue>) -> Self {
        Self { accept_key, subprotocol }
    }

    /// The subprotocol that was chosen.
    pub(crate) fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_ref()?.to_str().ok()
    }

    /// Replaces the subprotocol.
    #[cfg(feature = "axum")]
    pub(crate) fn set_subprotocol(&mut self, subprotocol: Option<HeaderValue>) {
        self.subprotocol = subprotocol;
    }

    /// The response: 101 (RFC 6455 §4.2.2), or 200 over HTTP/2 (RFC 8441 §5), with the negotiated `extensions`.
    pub(crate) fn into_response<B: Default>(self, extensions: Option<HeaderValue>) -> Response<B> {
        let mut response = Response::new(B::default());
        if let Some(accept_key) = self.accept_key {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept_key);
        }
        let headers = response.headers_mut();
        headers.extend(self.subprotocol.map(|subprotocol| (SEC_WEBSOCKET_PROTOCOL, subprotocol)));
        headers.extend(extensions.map(|extensions| (SEC_WEBSOCKET_EXTENSIONS, extensions)));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(response: &Response<()>) -> Vec<String> {
        let lines = response.headers().iter();
        lines.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn http1_switches_protocols() {
        let accepted = Accepted::new(Some(HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")), None);
        let response = accepted.clone().into_response(None);
        assert_eq!(response.status(), 101);
        assert_eq!(
            lines(&response),
            ["connection: Upgrade", "upgrade: websocket", "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]
        );
        assert_eq!(accepted.subprotocol(), None);
    }

    #[test]
    fn http2_only_says_yes() {
        let response = Accepted::new(None, None).into_response::<()>(None);
        assert_eq!(response.status(), 200);
        assert!(response.headers().is_empty());
    }

    #[test]
    fn names_the_subprotocol_and_the_extensions() {
        let accepted = Accepted::new(None, Some(HeaderValue::from_static("chat")));
        let response = accepted.clone().into_response(Some(HeaderValue::from_static("permessage-deflate")));
        assert_eq!(lines(&response), ["sec-websocket-protocol: chat", "sec-websocket-extensions: permessage-deflate"]);
        assert_eq!(accepted.subprotocol(), Some("chat"));
    }

    #[cfg(feature = "axum")]
    #[test]
    fn names_the_subprotocol_that_was_chosen_last() {
        let mut accepted = Accepted::new(None, Some(HeaderValue::from_static("chat")));
        accepted.set_subprotocol(Some(HeaderValue::from_static("news")));
        assert_eq!(accepted.subprotocol(), Some("news"));
        accepted.set_subprotocol(None);
        assert!(accepted.into_response::<()>(None).headers().is_empty());
    }
}
