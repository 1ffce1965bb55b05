//! The defaults that the guides and the documentation name.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use tokio::io::{AsyncRead, ReadBuf, duplex};
use tokio::time::sleep;
use tower::ServiceBuilder;
use tower_websocket::{Compression, Connector, ErrorKind, Manager, Shutdown, Upgrader, WebSocketLayer, testing};

use crate::support::{DEFLATE, Lines, kind, millis, open_with, quiet, serve};

/// JSON of so many bytes, which compresses well.
fn json(len: usize) -> String {
    let mut text: String =
        (0..).map(|n| format!("{{\"id\":{n},\"name\":\"item {}\"}},", n % 7)).take(len / 20 + 1).collect();
    text.truncate(len);
    text
}

/// The length of a message as it is sent, and whether it is compressed.
async fn sent(settings: Upgrader, message: String) -> (usize, bool) {
    let (ws, mut peer) = open_with(settings, DEFLATE).await;
    let (sent, frame) = tokio::join!(ws.send(message), peer.recv());
    sent.unwrap();
    let frame = frame.unwrap();
    (frame.payload.len(), frame.is_compressed())
}

#[tokio::test(start_paused = true)]
async fn messages_are_compressed_at_level_1() {
    let text = json(16 * 1024);
    let mut lengths = Vec::new();
    for level in 1..=9 {
        let settings = quiet().compression(Compression::default().level(level).unwrap());
        lengths.push(sent(settings, text.clone()).await.0);
    }
    assert_eq!(sent(quiet(), text).await.0, lengths[0]);
    assert!(lengths[1..].iter().all(|length| *length != lengths[0]), "the levels make no difference: {lengths:?}");
}

#[tokio::test(start_paused = true)]
async fn messages_are_compressed_from_512_bytes_on() {
    for (length, is_compressed) in [(511, false), (512, true)] {
        assert_eq!(sent(quiet(), json(length)).await.1, is_compressed, "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_has_10_seconds_to_be_sent() {
    let lines = Lines::default();
    lines.subscribe();
    let shutdown = Shutdown::new();
    let layer = WebSocketLayer::new(|_: Manager| async { assert_eq!(0, 1, "the handler must not run") });
    let service = ServiceBuilder::new()
        .then(|response: Result<Response<_>, std::convert::Infallible>| async move {
            std::future::pending::<()>().await;
            response
        })
        .service(layer.shutdown(&shutdown).into_service());
    let mut peer = serve(service);
    let asking = tokio::spawn(async move { peer.handshake("").await });
    sleep(millis(9_900)).await;
    assert_eq!(shutdown.connections(), 1);
    assert!(!lines.take().contains("handshake time"));
    sleep(millis(200)).await;
    assert_eq!(shutdown.connections(), 0);
    let said = lines.take();
    assert!(said.contains("ERROR") && said.contains("was not sent within the handshake time"), "{said}");
    assert!(!asking.is_finished());
}

#[cfg(feature = "client")]
#[tokio::test(start_paused = true)]
async fn a_client_has_10_seconds_to_connect() {
    for client in [Connector::new(), Connector::new().http2()] {
        let (near, _far) = duplex(1024);
        let start = tokio::time::Instant::now();
        assert_eq!(kind(client.connect_over(near, "ws://h/").await), ErrorKind::Connect);
        assert_eq!(start.elapsed().as_secs(), 10);
    }
}

/// Says so much at a time, and notes how much room it was given.
struct Source<'a> {
    rooms: &'a mut Vec<usize>,
    reads: std::vec::IntoIter<usize>,
}

impl AsyncRead for Source<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let room = buf.remaining();
        self.rooms.push(room);
        if let Some(len) = self.reads.next() {
            buf.put_slice(&b"123456789012345\n".repeat(len.min(room) / 16));
        }
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_reads_8_kib_at_a_time_and_up_to_64_where_there_is_more() {
    let (client, server) = testing::pair(quiet());
    let receiving = tokio::spawn(async move { while client.recv().await.unwrap().is_some() {} });
    for (reads, expected) in [
        // Little at a time.
        (vec![16, 160, 1600, 16], vec![8, 8, 8, 8, 8]),
        // As much as there is room for.
        (vec![1 << 20; 6], vec![8, 16, 32, 64, 64, 64, 64]),
        // A burst, and little again.
        (vec![1 << 20, 1 << 20, 16, 16], vec![8, 16, 32, 8, 8]),
    ] {
        let mut rooms = Vec::new();
        server.copy_text_lines(Source { rooms: &mut rooms, reads: reads.into_iter() }).await.unwrap();
        assert_eq!(rooms.iter().map(|room| room / 1024).collect::<Vec<_>>(), expected, "{rooms:?}");
        assert!(rooms.iter().all(|room| room % 1024 == 0), "{rooms:?}");
    }
    server.close().await.unwrap();
    receiving.await.unwrap();
}
