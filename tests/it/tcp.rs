//! What shows over TCP alone.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower_websocket::{Error, Manager, WebSocketLayer};

use crate::net::serve;
use crate::support::{Peer, millis, secs, text};

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
