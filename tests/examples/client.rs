//! Clients that are not this crate's own.

use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use crate::process::PATIENCE;

/// A plain GET over HTTP/1.1.
pub(crate) async fn get(address: &str, path: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::get(path).header("host", address).body(Empty::new()).expect("a valid request");
    read(send(address, request).await).await
}

/// A POST without a body over HTTP/1.1.
pub(crate) async fn post(address: &str, path: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::post(path).header("host", address).body(Empty::new()).expect("a valid request");
    read(send(address, request).await).await
}

/// The response to a WebSocket handshake over HTTP/1.1 from a page of this origin.
pub(crate) async fn handshake_from(origin: &str, address: &str, path: &str) -> Response<hyper::body::Incoming> {
    handshake_to(address, origin, address, path).await
}

/// The same, which names this host.
pub(crate) async fn handshake_to(
    host: &str,
    origin: &str,
    address: &str,
    path: &str,
) -> Response<hyper::body::Incoming> {
    let request = Request::get(path)
        .header("host", host)
        .header("origin", origin)
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", generate_key())
        .header("user-agent", "test")
        .body(Empty::new())
        .expect("a valid request");
    send(address, request).await
}

/// A WebSocket over HTTP/1.1.
pub(crate) async fn open(address: &str, path: &str) -> Socket {
    let response = handshake_from(&format!("http://{address}"), address, path).await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    upgrade(response).await
}

/// One HTTP/2 connection.
pub(crate) struct Http2 {
    requests: http2::SendRequest<Empty<Bytes>>,
    address: String,
    offer: Option<String>,
}

impl Http2 {
    pub(crate) async fn connect(address: &str) -> Self {
        Self::over(TcpStream::connect(address).await.expect("the example listens"), address).await
    }

    pub(crate) async fn over<Io>(stream: Io, address: &str) -> Self
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (requests, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2 is spoken");
        tokio::spawn(connection);
        Self { requests, address: address.to_owned(), offer: None }
    }

    /// Offers these subprotocols from now on.
    pub(crate) fn offering(self, subprotocols: &str) -> Self {
        Self { offer: Some(subprotocols.to_owned()), ..self }
    }

    pub(crate) async fn get(&mut self, path: &str) -> (StatusCode, HeaderMap, String) {
        let request = Request::get(format!("http://{}{path}", self.address)).version(Version::HTTP_2);
        read(self.send(request.body(Empty::new()).expect("a valid request")).await).await
    }

    /// A WebSocket by extended CONNECT (RFC 8441), which may be asked for once an answer has told that it is offered.
    pub(crate) async fn open(&mut self, path: &str) -> Socket {
        let response = self.handshake(path).await;
        assert_eq!(response.status(), StatusCode::OK);
        upgrade(response).await
    }

    /// The response to an extended CONNECT.
    pub(crate) async fn handshake(&mut self, path: &str) -> Response<hyper::body::Incoming> {
        self.get("/").await;
        let mut request = Request::connect(format!("http://{}{path}", self.address))
            .version(Version::HTTP_2)
            .extension(Protocol::from_static("websocket"))
            .header("sec-websocket-version", "13");
        if let Some(offer) = &self.offer {
            request = request.header("sec-websocket-protocol", offer);
        }
        self.send(request.body(Empty::new()).expect("a valid request")).await
    }

    async fn send(&mut self, request: Request<Empty<Bytes>>) -> Response<hyper::body::Incoming> {
        within(self.requests.send_request(request)).await.expect("there is an answer")
    }
}

/// A WebSocket client by tungstenite.
#[derive(Debug)]
pub(crate) struct Socket<Io = TokioIo<Upgraded>>(WebSocketStream<Io>);

impl<Io: AsyncRead + AsyncWrite + Unpin + Debug> Socket<Io> {
    pub(crate) async fn send(&mut self, message: impl Into<Message>) {
        within(self.0.send(message.into())).await.expect("the connection is open");
    }

    /// Sends, and reads nothing, until nothing more is taken.
    pub(crate) async fn fill(&mut self) {
        let message = Message::binary(vec![0; 64 * 1024]);
        while let Ok(sent) = timeout(Duration::from_secs(1), self.0.send(message.clone())).await {
            sent.expect("the connection is open");
        }
    }

    /// The next data message.
    pub(crate) async fn receive(&mut self) -> Message {
        loop {
            match within(self.0.next()).await.expect("the connection is open").expect("the connection is sound") {
                Message::Ping(_) | Message::Pong(_) => {}
                Message::Close(frame) => panic!("closed: {frame:?}"),
                message => return message,
            }
        }
    }

    pub(crate) async fn receive_json(&mut self) -> Value {
        self.receive_json_when(|_| true).await
    }

    /// The next JSON message for which the condition holds.
    pub(crate) async fn receive_json_when(&mut self, condition: impl Fn(&Value) -> bool) -> Value {
        within(async {
            loop {
                let message = self.receive().await;
                let value = serde_json::from_str(message.to_text().expect("text")).expect("JSON");
                if condition(&value) {
                    return value;
                }
            }
        })
        .await
    }

    /// Text and binary messages come back as they were; then the connection is closed.
    pub(crate) async fn echoes(mut self) {
        for message in [Message::text("Grüße 🦀"), Message::binary(vec![0, 159, 255]), Message::text("")] {
            self.send(message.clone()).await;
            assert_eq!(self.receive().await, message);
        }
        within(self.0.close(None)).await.expect("the connection is open");
        assert_eq!(self.closed().await, None, "the echo of a close frame without a code");
    }

    /// Closes with this code and reason.
    pub(crate) async fn leaves(mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        within(self.0.close(Some(frame))).await.expect("the connection is open");
        self.closed().await;
    }

    /// Waits for the end, and tells the peer's close frame.
    pub(crate) async fn closed(mut self) -> Option<(u16, String)> {
        let mut closed = None;
        while let Some(message) = within(self.0.next()).await {
            if let Message::Close(frame) = message.expect("it ends by a closing handshake") {
                closed = frame.map(|CloseFrame { code, reason }| (code.into(), reason.to_string()));
            }
        }
        closed
    }
}

async fn send(address: &str, request: Request<Empty<Bytes>>) -> Response<hyper::body::Incoming> {
    let stream = TcpStream::connect(address).await.expect("the example listens");
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1 is spoken");
    tokio::spawn(connection.with_upgrades());
    within(requests.send_request(request)).await.expect("there is an answer")
}

async fn read(response: Response<hyper::body::Incoming>) -> (StatusCode, HeaderMap, String) {
    let (parts, body) = response.into_parts();
    let body = within(body.collect()).await.expect("the body arrives").to_bytes();
    (parts.status, parts.headers, String::from_utf8(body.into()).expect("text"))
}

async fn upgrade(response: Response<hyper::body::Incoming>) -> Socket {
    let upgraded = within(hyper::upgrade::on(response)).await.expect("the connection is handed over");
    Socket(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await)
}

async fn within<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("it does not take that long")
}
