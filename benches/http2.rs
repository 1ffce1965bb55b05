//! Small messages come back over HTTP/2 (RFC 8441), over TCP on this machine, against axum's own WebSockets.

mod support;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput};
use h2::{RecvStream, SendStream, client};
use http::StatusCode;
use tokio::net::TcpStream;

use support::TEXT;

fn main() {
    let mut criterion = support::criterion();
    echo(&mut criterion, "echo of 64 B of text over HTTP/2", 1);
    echo(&mut criterion, "echo of 64 B of text over HTTP/2, 16 in flight", 16);
    criterion.final_summary();
}

fn echo(criterion: &mut Criterion, name: &str, in_flight: u64) {
    let frames = Bytes::from(support::masked(TEXT, &[b'x'; 64]).repeat(in_flight as usize));
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(in_flight));
    for (peer, serve) in [("tower-websocket", support::serve_echo as fn(TcpStream)), ("axum", serve_axum)] {
        let runtime = support::runtime();
        let mut stream = runtime.block_on(async {
            let (near, far) = support::tcp().await;
            serve(far);
            Stream::open(near).await
        });
        support::measure(&mut group, peer, &runtime, async || stream.exchange(&frames, in_flight).await);
    }
    group.finish();
}

fn serve_axum(io: TcpStream) {
    support::serve(
        io,
        Router::new().route("/ws", any(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(echo_axum))),
    );
}

async fn echo_axum(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_)) && socket.send(message).await.is_err() {
            break;
        }
    }
}

/// A WebSocket on a stream of an HTTP/2 connection.
struct Stream {
    outgoing: SendStream<Bytes>,
    incoming: RecvStream,
    received: BytesMut,
}

impl Stream {
    async fn open(io: TcpStream) -> Self {
        let (mut requests, connection) = support::shared::handshake(&client::Builder::new(), io).await;
        let request = support::shared::websocket_request("http://localhost/ws")
            .header("sec-websocket-version", "13")
            .body(())
            .expect("the request is valid");
        let (response, outgoing) = requests.send_request(request, false).expect("a stream is free");
        tokio::spawn(connection);
        let response = response.await.expect("the server answers");
        assert_eq!(response.status(), StatusCode::OK);
        Self { outgoing, incoming: response.into_body(), received: BytesMut::new() }
    }

    /// Sends these frames and waits for as many messages.
    async fn exchange(&mut self, frames: &Bytes, mut replies: u64) {
        self.outgoing.send_data(frames.clone(), false).expect("the stream is open");
        while replies > 0 {
            if let Some(frame) = support::take_frame(&mut self.received) {
                replies -= u64::from(support::ends_message(frame[0]));
                continue;
            }
            let data = self.incoming.data().await.expect("the server goes on").expect("the stream is open");
            self.incoming.flow_control().release_capacity(data.len()).expect("it was received");
            self.received.extend_from_slice(&data);
        }
    }
}
