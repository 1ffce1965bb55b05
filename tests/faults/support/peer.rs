//! The other end: it plays its script, answers pings and a close frame, and reads to the end.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tower_websocket::Role;

use crate::shared::{Frame, close, pong};

/// What the peer sends, all of it at once.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) frames: Vec<Frame>,
    /// Bytes behind the frames, such as a part of another.
    pub(crate) rest: Vec<u8>,
    /// The peer ends its side of the transport behind that.
    pub(crate) ends: bool,
}

/// Takes the frames from the front that were sent by this role.
pub(crate) fn frames(sender: Role, bytes: &mut Vec<u8>) -> Vec<Frame> {
    let take = || match sender {
        Role::Client => Frame::take_masked(bytes),
        Role::Server => Frame::take(bytes),
    };
    std::iter::from_fn(take).collect()
}

pub(super) fn encode(sender: Role, frame: &Frame) -> Vec<u8> {
    match sender {
        Role::Client => frame.masked(),
        Role::Server => frame.unmasked(),
    }
}

/// Plays the script to the end of the transport. What our side does to the transport is no matter here.
pub(super) async fn play(mut io: DuplexStream, role: Role, script: Script) {
    let mut bytes: Vec<u8> = script.frames.iter().flat_map(|frame| encode(role, frame)).collect();
    bytes.extend_from_slice(&script.rest);
    let _ = io.write_all(&bytes).await;
    if script.ends {
        let _ = io.shutdown().await;
    }
    let mut closed = script.ends || script.frames.iter().any(|frame| frame.first == 0x88);
    let ours = if role == Role::Client { Role::Server } else { Role::Client };
    let mut received = Vec::new();
    while io.read_buf(&mut received).await.unwrap_or(0) > 0 {
        for frame in frames(ours, &mut received) {
            let answer = match frame.first {
                0x88 if closed => None,
                0x88 => {
                    closed = true;
                    Some(close(1000, ""))
                }
                0x89 if !closed => Some(pong(&frame.payload)),
                _ => None,
            };
            if let Some(answer) = answer {
                let _ = io.write_all(&encode(role, &answer)).await;
            }
            if frame.first == 0x88 {
                let _ = io.shutdown().await;
            }
        }
    }
}

/// Asks for a WebSocket as a client.
pub(super) async fn ask(io: &mut DuplexStream, more: &str) {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    );
    io.write_all(request.as_bytes()).await.unwrap();
    let head = head(io).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
}

/// Answers a client's request.
pub(super) async fn answer(io: &mut DuplexStream, more: &str) {
    let head = head(io).await;
    let header = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.to_owned())
    };
    let key = head.lines().find_map(header).unwrap();
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\n{more}\r\n",
        derive_accept_key(key.as_bytes())
    );
    io.write_all(response.as_bytes()).await.unwrap();
}

async fn head(io: &mut DuplexStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert!(io.read_buf(&mut head).await.unwrap() > 0, "the head ends early");
    }
    String::from_utf8(head).unwrap()
}
