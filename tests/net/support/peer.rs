//! A peer that does only what it is told.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tower_websocket::Role;

use super::{Frame, Stream, close, millis, ping, pong, secs};

/// One end of a WebSocket, read and written by hand.
pub(crate) struct Peer {
    io: Stream,
    role: Role,
    received: Vec<u8>,
}

/// All that a peer has received up to the end of its transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    /// Bytes of data.
    pub(crate) data: usize,
    /// The code of the close frame.
    pub(crate) code: Option<u16>,
}

/// How a peer reads.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    /// Bytes per second.
    rate: usize,
    /// How long it reads nothing, between the times that it reads all that it may by then.
    pause: Duration,
    pings_every: Option<Duration>,
    /// Once it has so many bytes of data, it closes.
    closes_after: Option<usize>,
}

impl Reading {
    pub(crate) const fn at(rate: usize) -> Self {
        Self { rate, pause: Duration::ZERO, pings_every: None, closes_after: None }
    }

    pub(crate) const fn pausing(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    pub(crate) const fn pinging(self, interval: Duration) -> Self {
        Self { pings_every: Some(interval), ..self }
    }

    pub(crate) const fn closing_after(self, bytes: usize) -> Self {
        Self { closes_after: Some(bytes), ..self }
    }
}

impl Peer {
    pub(super) fn new(io: Stream, role: Role) -> Self {
        Self { io, role, received: Vec::new() }
    }

    /// Asks for a WebSocket as a client.
    pub(super) async fn ask(&mut self, more: &str) {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
        );
        self.io.write_all(request.as_bytes()).await.unwrap();
        let head = self.head().await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    }

    /// Answers a client's request.
    pub(super) async fn answer(&mut self) {
        let head = self.head().await;
        let header = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.to_owned())
        };
        let key = head.lines().find_map(header).unwrap();
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            derive_accept_key(key.as_bytes())
        );
        self.io.write_all(response.as_bytes()).await.unwrap();
    }

    async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let rest = self.received.split_off(end + 4);
                return String::from_utf8(std::mem::replace(&mut self.received, rest)).unwrap();
            }
            assert!(self.io.read_buf(&mut self.received).await.unwrap() > 0, "the head ends early");
        }
    }

    /// The bytes of a frame from this peer.
    pub(crate) fn encode(&self, frame: &Frame) -> Vec<u8> {
        match self.role {
            Role::Client => frame.masked(),
            Role::Server => frame.unmasked(),
        }
    }

    pub(crate) async fn send(&mut self, frame: Frame) {
        self.try_send(frame).await.unwrap();
    }

    pub(crate) async fn try_send(&mut self, frame: Frame) -> io::Result<()> {
        let bytes = self.encode(&frame);
        self.io.write_all(&bytes).await?;
        self.io.flush().await
    }

    pub(crate) async fn send_raw(&mut self, bytes: impl AsRef<[u8]>) {
        self.io.write_all(bytes.as_ref()).await.unwrap();
        self.io.flush().await.unwrap();
    }

    /// The next frame, or `None` at the end of the transport.
    pub(crate) async fn recv(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.take() {
                return Some(frame);
            }
            let read = timeout(secs(60), self.io.read_buf(&mut self.received)).await;
            if read.expect("a frame arrives, or the end").unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The code of the close frame that is the next frame but for pings.
    pub(crate) async fn recv_close(&mut self) -> Option<u16> {
        loop {
            match self.recv().await? {
                frame if frame.first == 0x88 => return Some(code(&frame)),
                frame => assert_eq!(frame.first, 0x89, "{frame:?}"),
            }
        }
    }

    fn take(&mut self) -> Option<Frame> {
        // The mark of a stream of HTTP/2 that was reset.
        if self.received.first() == Some(&0xff) {
            return None;
        }
        match self.role {
            Role::Client => Frame::take(&mut self.received),
            Role::Server => Frame::take_masked(&mut self.received),
        }
    }

    /// Reads at this rate, in bytes per second, up to the end of the transport.
    pub(crate) async fn read_steadily(&mut self, rate: usize) -> Received {
        self.read(Reading::at(rate)).await
    }

    /// Reads up to the end of the transport, and answers pings and a close frame as it sees them.
    pub(crate) async fn read(&mut self, reading: Reading) -> Received {
        let mut all = Received::default();
        let start = Instant::now();
        let (mut taken, mut pinged) = (0, start);
        loop {
            while let Some(frame) = self.take() {
                // The other side may have ended already.
                let _ = match frame.first {
                    0x88 => {
                        all.code = Some(code(&frame));
                        if reading.closes_after.is_none() { self.try_send(frame).await } else { Ok(()) }
                    }
                    0x89 => self.try_send(pong(frame.payload)).await,
                    0x8a => Ok(()),
                    _ => {
                        all.data += frame.payload.len();
                        if reading.closes_after == Some(all.data) {
                            self.try_send(close(1000, "")).await
                        } else {
                            Ok(())
                        }
                    }
                };
            }
            if reading.pings_every.is_some_and(|interval| pinged.elapsed() >= interval) {
                pinged = Instant::now();
                let _ = self.try_send(ping("alive?")).await;
            }
            let due = taken as f64 / reading.rate as f64;
            // Whole pauses, then all that was due meanwhile.
            let pause = reading.pause.as_secs_f64();
            let due = if pause > 0.0 { (due / pause).floor() * pause } else { due };
            sleep_until(start + Duration::from_secs_f64(due)).await;
            let most = (reading.rate / 20).clamp(64, 64 * 1024);
            let mut part = vec![0; most];
            match timeout(secs(100), self.io.read(&mut part)).await.expect("data, or the end") {
                Ok(len @ 1..) => {
                    taken += len;
                    self.received.extend_from_slice(&part[..len]);
                }
                _ => return all,
            }
        }
    }

    /// Reads everything, as fast as it comes.
    pub(crate) async fn read_to_end(&mut self) -> Received {
        self.read_steadily(1 << 30).await
    }

    /// Ends this side of the transport.
    pub(crate) async fn shutdown(&mut self) {
        self.io.shutdown().await.unwrap();
    }

    /// Lets everything arrive that is under way.
    pub(crate) async fn settle(&mut self) {
        tokio::time::sleep(millis(100)).await;
    }
}

fn code(frame: &Frame) -> u16 {
    frame.payload.get(..2).map_or(1005, |code| u16::from_be_bytes(code.try_into().unwrap()))
}
