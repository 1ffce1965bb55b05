//! A client of HTTP/2 by the crate `h2`, which does as it is told.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::client::{Builder, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{Response, StatusCode};
use tokio::io::{AsyncWriteExt, DuplexStream, copy_bidirectional, duplex};
use tokio::sync::mpsc;
use tower_websocket::{Error, HandlerOutput, Manager, WebSocketLayer};

use crate::net::serve_stream;
use crate::shared::{handshake, websocket_request};

/// An HTTP/2 connection to a server.
pub(super) struct Peer {
    pub(super) sender: SendRequest<Bytes>,
    pub(super) connection: tokio::task::JoinHandle<()>,
}

impl Peer {
    pub(super) async fn connect<H, F>(layer: WebSocketLayer<H>) -> Self
    where
        H: Fn(Manager) -> F + Send + Sync + 'static,
        F: Future<Output: HandlerOutput> + Send + 'static,
    {
        let (near, far) = duplex(1024 * 1024);
        tokio::spawn(serve_stream(far, layer.into_service()));
        Self::over(near).await
    }

    /// Also returns where bytes go to the server between what this peer sends. Dropped, it ends the connection.
    pub(super) async fn through_a_proxy<H, F>(layer: WebSocketLayer<H>) -> (Self, mpsc::UnboundedSender<Vec<u8>>)
    where
        H: Fn(Manager) -> F + Send + Sync + 'static,
        F: Future<Output: HandlerOutput> + Send + 'static,
    {
        let (near, mut client) = duplex(1024 * 1024);
        let (mut server, far) = duplex(1024 * 1024);
        tokio::spawn(serve_stream(far, layer.into_service()));
        let (raw, mut more) = mpsc::unbounded_channel::<Vec<u8>>();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut server) => return,
                    bytes = more.recv() => match bytes {
                        Some(bytes) => server.write_all(&bytes).await.unwrap(),
                        None => return,
                    },
                }
            }
        });
        (Self::over(near).await, raw)
    }

    pub(super) async fn over(near: DuplexStream) -> Self {
        let mut builder = Builder::new();
        builder.initial_connection_window_size(1024 * 1024);
        let (sender, connection) = handshake(&builder, near).await;
        let connection = tokio::spawn(async { connection.await.unwrap_or(()) });
        Self { sender, connection }
    }

    /// Sends an extended CONNECT with these headers and waits for the answer.
    pub(super) async fn open(&mut self, uri: &str, headers: &[(&str, &str)]) -> Stream {
        let mut request = websocket_request(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.try_open(request).await.unwrap()
    }

    pub(super) async fn try_open(&mut self, request: http::request::Builder) -> Result<Stream, h2::Error> {
        let request = request.body(()).unwrap();
        let (response, send) = self.sender.send_request(request, false)?;
        let (parts, receive) = response.await?.into_parts();
        Ok(Stream { response: Response::from_parts(parts, ()), send, receive, received: BytesMut::new() })
    }

    /// Waits until the server has answered everything that was sent before.
    pub(super) async fn catch_up(&mut self) {
        assert_eq!(self.open("http://h/nowhere", &[]).await.response.status(), StatusCode::UPGRADE_REQUIRED);
    }
}

/// One stream of it.
pub(super) struct Stream {
    pub(super) response: Response<()>,
    pub(super) send: SendStream<Bytes>,
    pub(super) receive: RecvStream,
    pub(super) received: BytesMut,
}

impl Stream {
    pub(super) fn send(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        frame.extend_from_slice(payload);
        self.send.send_data(frame.into(), false).unwrap();
    }

    /// The next bytes, exactly these, without masks.
    pub(super) async fn expect(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | opcode, payload.len() as u8];
        frame.extend_from_slice(payload);
        assert_eq!(self.take(frame.len()).await, frame);
    }

    /// The next so many bytes.
    pub(super) async fn take(&mut self, length: usize) -> BytesMut {
        while self.received.len() < length {
            let data = self.receive.data().await.expect("the stream goes on").unwrap();
            self.receive.flow_control().release_capacity(data.len()).unwrap();
            self.received.extend_from_slice(&data);
        }
        self.received.split_to(length)
    }

    /// END_STREAM comes next.
    pub(super) async fn expect_end(&mut self) {
        assert!(self.received.is_empty());
        let end = self.receive.data().await.map(|data| data.map(|data| data.len()));
        assert!(matches!(end, None | Some(Ok(0))), "{end:?}");
        assert!(self.receive.is_end_stream());
    }

    /// The reset that has arrived, if one has.
    pub(super) async fn reset(&mut self) -> Option<Reason> {
        poll_fn(|cx| match self.send.poll_reset(cx) {
            Poll::Ready(reset) => Poll::Ready(reset.ok()),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    pub(super) async fn body(&mut self) -> String {
        while let Some(data) = self.receive.data().await {
            self.received.extend_from_slice(&data.unwrap());
        }
        String::from_utf8(self.received.to_vec()).unwrap()
    }
}

/// Sends until that fails.
pub(super) async fn flood(ws: Manager, taken: Arc<AtomicUsize>) -> Result<(), Error> {
    loop {
        ws.send(vec![0; 16 * 1024]).await?;
        taken.fetch_add(16 * 1024, Ordering::Relaxed);
    }
}

/// Lets everybody come to rest: the paused clock moves only when nobody has anything to do.
pub(super) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const RSV1: u8 = 0x40;
pub(super) const VERSION: (&str, &str) = ("sec-websocket-version", "13");
pub(super) const WRITE_TIME: Duration = Duration::from_secs(10);
