//! The client's side of the opening handshake (RFC 6455 §4.1, RFC 8441 §5).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::ext::Protocol;

use super::headers::{Lines, has_token};
use super::key::answer;
use crate::error::{Error, ErrorKind};

/// The client's side of a handshake, until the response arrives.
#[derive(Debug)]
pub(crate) struct ClientHandshake {
    /// The expected `Sec-WebSocket-Accept`. `None` over HTTP/2, which has no key.
    accept_key: Option<HeaderValue>,
    subprotocols: HeaderMap,
}

impl ClientHandshake {
    /// Makes a request into a handshake for its HTTP version. `extensions` are offered.
    pub(crate) fn new<B>(request: &mut Request<B>, extensions: Option<HeaderValue>) -> Self {
        let accept_key = if request.version() >= Version::HTTP_2 {
            *request.method_mut() = Method::CONNECT;
            request.extensions_mut().insert(Protocol::from_static("websocket"));
            None
        } else {
            *request.method_mut() = Method::GET;
            let key = STANDARD.encode(rand::random::<[u8; 16]>());
            let accept_key = answer(key.as_bytes());
            let headers = request.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_str(&key).expect("base64 is a valid header value"));
            Some(accept_key)
        };
        let headers = request.headers_mut();
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        if let Some(extensions) = extensions {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, extensions);
        }
        let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().cloned();
        let subprotocols = offered.map(|value| (SEC_WEBSOCKET_PROTOCOL, value)).collect();
        Self { accept_key, subprotocols }
    }

    /// Validates the response, and returns the subprotocol. Extensions are validated elsewhere.
    pub(crate) fn confirm<B>(&self, response: &Response<B>) -> Result<Option<Box<str>>, Error> {
        let headers = response.headers();
        match &self.accept_key {
            Some(accept_key) => {
                // RFC 9110 §7.8: there is no upgrade in HTTP/1.0.
                require(response.version() >= Version::HTTP_11, || {
                    format!("the server answered with {:?}", response.version())
                })?;
                require(response.status() == StatusCode::SWITCHING_PROTOCOLS, || {
                    format!("the server answered {}", response.status())
                })?;
                let is_websocket = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
                let upgraded = matches!(Lines::of(headers, UPGRADE).single(), Ok(Some(value)) if is_websocket(value));
                require(upgraded && has_token(headers, CONNECTION, "upgrade"), || {
                    "the server did not switch to WebSocket".to_owned()
                })?;
                require(
                    matches!(Lines::of(headers, SEC_WEBSOCKET_ACCEPT).single(), Ok(Some(key)) if key == accept_key),
                    || "the server's Sec-WebSocket-Accept does not answer our key".to_owned(),
                )?;
            }
            None => {
                require(response.status() == StatusCode::OK, || format!("the server answered {}", response.status()))?
            }
        }
        let repeated = || refused("the server chose more than one subprotocol");
        let chosen = Lines::of(headers, SEC_WEBSOCKET_PROTOCOL).single().map_err(|_| repeated())?;
        let Some(chosen) = chosen else { return Ok(None) };
        let offered =
            Lines::of(&self.subprotocols, SEC_WEBSOCKET_PROTOCOL).elements().any(|offer| offer == chosen.as_bytes());
        require(offered, || "the server chose a subprotocol that was not offered".to_owned())?;
        Ok(chosen.to_str().ok().map(Box::from))
    }
}

fn require(condition: bool, reason: impl FnOnce() -> String) -> Result<(), Error> {
    if condition { Ok(()) } else { Err(refused(reason())) }
}

fn refused(reason: impl Into<String>) -> Error {
    Error::with_source(ErrorKind::Handshake, reason.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer_to(request: &Request<()>) -> http::response::Builder {
        let key = request.headers()[SEC_WEBSOCKET_KEY].as_bytes();
        Response::builder()
            .status(101)
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-accept", answer(key))
    }

    #[test]
    fn accepts_a_proper_answer() {
        let mut request = Request::get("/").header("sec-websocket-protocol", "a, b").body(()).unwrap();
        let opening = ClientHandshake::new(&mut request, None);
        let response = answer_to(&request).header("sec-websocket-protocol", "b").body(()).unwrap();
        assert_eq!(opening.confirm(&response).unwrap().as_deref(), Some("b"));
    }

    #[test]
    fn refuses_what_does_not_answer_the_request() {
        let mut request = Request::get("/").header("sec-websocket-protocol", "a").body(()).unwrap();
        let opening = ClientHandshake::new(&mut request, None);
        let answer = || answer_to(&request);
        for response in [
            Response::builder().status(403),
            answer().status(200),
            answer().header("sec-websocket-protocol", "b"),
            answer().header("sec-websocket-protocol", "a").header("sec-websocket-protocol", "a"),
            answer().header("sec-websocket-accept", "x"),
            answer().header("upgrade", "h2c"),
            Response::builder().status(101).header("connection", "Upgrade").header("upgrade", "websocket"),
        ] {
            let error = opening.confirm(&response.body(()).unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Handshake);
        }
    }

    #[test]
    fn over_http1_the_connection_and_the_key_are_checked() {
        let mut request = Request::get("/").body(()).unwrap();
        let opening = ClientHandshake::new(&mut request, None);
        for (connection, accept, reason) in [
            ("keep-alive", answer(request.headers()[SEC_WEBSOCKET_KEY].as_bytes()), "did not switch to WebSocket"),
            ("upgrade", answer(b"another key"), "Sec-WebSocket-Accept"),
        ] {
            let response = Response::builder().status(101).header("connection", connection);
            let response = response.header("upgrade", "websocket").header("sec-websocket-accept", accept);
            let error = opening.confirm(&response.body(()).unwrap()).unwrap_err();
            assert!(format!("{error:?}").contains(reason), "{error:?}");
        }
    }

    #[test]
    fn over_http2_the_status_is_checked() {
        let mut request = Request::get("/").version(Version::HTTP_2).body(()).unwrap();
        let opening = ClientHandshake::new(&mut request, None);
        let answered = |status: u16| Response::builder().status(status).version(Version::HTTP_2).body(()).unwrap();
        assert_eq!(opening.confirm(&answered(200)).unwrap(), None);
        for status in [101, 302, 403, 404, 500] {
            assert_eq!(opening.confirm(&answered(status)).unwrap_err().kind(), ErrorKind::Handshake, "{status}");
        }
    }
}
