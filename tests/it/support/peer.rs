//! The client's end of a connection, byte by byte.

use std::io;
use std::time::Duration;

use http::Version;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

use super::{Frame, http2, millis, request, secs};

/// The header that offers compression.
pub(crate) const DEFLATE: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

/// The status in the head of a response.
pub(crate) fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

/// A client that does only what it is told.
#[derive(Debug)]
pub(crate) struct Peer {
    io: DuplexStream,
    received: Vec<u8>,
}

impl Peer {
    pub(crate) fn new(io: DuplexStream) -> Self {
        Self { io, received: Vec::new() }
    }

    /// A proper request for `/ws` with more header lines.
    pub(crate) fn request(more: &str) -> String {
        request("localhost", "/ws", more)
    }

    /// Sends a request and returns the head of the response.
    pub(crate) async fn ask(&mut self, request: &str) -> String {
        self.send_raw(request).await;
        self.read_head().await
    }

    /// The head of a response.
    pub(crate) async fn read_head(&mut self) -> String {
        loop {
            if let Some(end) = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let rest = self.received.split_off(end + 4);
                return String::from_utf8(std::mem::replace(&mut self.received, rest)).unwrap();
            }
            assert!(self.read().await, "the response ends early: {}", self.received.escape_ascii());
        }
    }

    /// So many bytes, such as a response's body.
    pub(crate) async fn read_body(&mut self, len: usize) -> String {
        while self.received.len() < len {
            assert!(self.read().await, "the body ends early");
        }
        let rest = self.received.split_off(len);
        String::from_utf8(std::mem::replace(&mut self.received, rest)).unwrap()
    }

    /// Opens a WebSocket with more header lines. Over HTTP/2 the frames then are those of a stream.
    pub(crate) async fn handshake(&mut self, more: &str) -> String {
        let head = self.try_handshake("localhost", "/ws", more).await;
        assert!(matches!(status(&head), 101 | 200), "{head}");
        head
    }

    /// Asks for a WebSocket at this host and path, and returns the head of the response.
    pub(crate) async fn try_handshake(&mut self, host: &str, path: &str, more: &str) -> String {
        if super::super::VERSION == Version::HTTP_2 {
            let (near, far) = duplex(64 * 1024);
            let transport = std::mem::replace(&mut self.io, near);
            return http2::open(transport, far, &format!("http://{host}{path}"), more).await;
        }
        self.ask(&request(host, path, more)).await
    }

    /// Sends a frame, masked.
    pub(crate) async fn send(&mut self, frame: Frame) {
        self.send_raw(frame.masked()).await;
    }

    /// Sends frames in one write.
    pub(crate) async fn send_all<const N: usize>(&mut self, frames: [Frame; N]) {
        self.send_raw(frames.map(|frame| frame.masked()).concat()).await;
    }

    pub(crate) async fn send_raw(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send_raw(bytes).await.unwrap();
    }

    pub(crate) async fn try_send_raw(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.io.write_all(bytes.as_ref()).await
    }

    /// The next frame, or `None` at the end of the transport.
    pub(crate) async fn recv(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::take(&mut self.received) {
                return Some(frame);
            }
            if !timeout(secs(24 * 3600), self.read()).await.expect("a frame arrives within a day") {
                assert!(self.received.is_empty(), "cut off: {}", self.received.escape_ascii());
                return None;
            }
        }
    }

    /// The next frame is this one.
    #[track_caller]
    pub(crate) fn expect(&mut self, frame: Frame) -> impl Future<Output = ()> + '_ {
        let place = std::panic::Location::caller();
        async move {
            let received = self.recv().await;
            assert_eq!(received.as_ref(), Some(&frame), "expected at {place}");
        }
    }

    /// The next frame is a close frame with this code; returns its reason.
    #[track_caller]
    pub(crate) fn expect_close(&mut self, code: u16) -> impl Future<Output = String> + '_ {
        let place = std::panic::Location::caller();
        async move {
            let frame = self.recv().await.unwrap_or_else(|| panic!("no close frame at {place}"));
            assert_eq!(frame.first, 0x88, "{frame:?} at {place}");
            assert_eq!(frame.payload[..2], code.to_be_bytes(), "{frame:?} at {place}");
            String::from_utf8(frame.payload[2..].to_vec()).unwrap()
        }
    }

    /// The transport ends here.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) -> impl Future<Output = ()> + '_ {
        let place = std::panic::Location::caller();
        async move {
            let received = self.recv().await;
            assert_eq!(received, None, "at {place}");
        }
    }

    /// Nothing arrives for so long.
    pub(crate) async fn expect_silence(&mut self, time: Duration) {
        if let Ok(frame) = timeout(time, self.recv()).await {
            panic!("received {frame:?}");
        }
    }

    /// Ends our side of the transport.
    pub(crate) async fn shutdown(&mut self) {
        self.io.shutdown().await.unwrap();
    }

    /// Lets the other side do all that it can do now.
    pub(crate) async fn settle(&mut self) {
        tokio::time::sleep(millis(1)).await;
    }

    /// Reads once what is there. False at the end.
    async fn read(&mut self) -> bool {
        self.io.read_buf(&mut self.received).await.unwrap_or(0) > 0
    }

    /// Reads everything up to the end and returns how much that was.
    pub(crate) async fn read_to_end(&mut self) -> usize {
        while self.read().await {}
        self.received.len()
    }
}
