//! What shows over TCP alone.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower_websocket::{Error, Manager, WebSocketLayer};

use crate::net::serve;
use crate::support::{Peer, close, millis, secs, text};

#[tokio::test]
async fn over_tcp_a_message_does_not_wait_for_the_next() {
    let address = serve(WebSocketLayer::new(|ws: Manager| async move {
        while ws.recv().await?.is_some() {
            ws.write_data("now", secs(60)).await?;
        }
        Ok::<_, Error>(())
    }))
    .await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(Peer::request("").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_buf(&mut head).await.unwrap();
    }
    // Held back, each would take the kernel's 200 ms; a thread that has to wait for its turn may take as long once.
    let mut times = Vec::new();
    for _ in 0..10 {
        let start = Instant::now();
        stream.write_all(&text("?").masked()).await.unwrap();
        let mut answer = text("now").unmasked();
        stream.read_exact(&mut answer).await.unwrap();
        times.push(start.elapsed());
    }
    assert!(times.iter().min() < Some(&millis(100)), "{times:?}");
}

#[tokio::test]
async fn a_frame_that_comes_along_with_the_request_is_counted() {
    let (report, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let layer = WebSocketLayer::new(|ws: Manager| async move { ws.recv().await.map(drop) });
    let address = serve(layer.on_end(move |_, _, stats| report.send(stats).unwrap())).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let early = text("early").masked();
    stream.write_all(&[Peer::request("").as_bytes(), &early].concat()).await.unwrap();
    let mut all = Vec::new();
    while !all.ends_with(&close(1000, "").unmasked()) {
        assert!(stream.read_buf(&mut all).await.unwrap() > 0, "{}", all.escape_ascii());
    }
    stream.write_all(&close(1000, "").masked()).await.unwrap();
    let stats = ends.recv().await.unwrap();
    assert_eq!((stats.messages_received, stats.wire_received), (1, early.len() as u64 + 8));
}
