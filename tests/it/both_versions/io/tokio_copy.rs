//! tokio's own copies, between messages and streams of bytes.

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tower_websocket::{Compression, Message, MessageKind, Upgrader, testing};

#[tokio::test(start_paused = true)]
async fn tokio_copies_in_both_directions() {
    for kind in [MessageKind::Text, MessageKind::Binary] {
        let (client, server) = testing::pair(Upgrader::new().compression(Compression::default()));
        let echo = tokio::spawn(async move { tokio::io::copy(&mut server.reader(), &mut server.writer(kind)).await });
        let text = "Grüße, 世界 🦀\n".repeat(20_000);
        let (mut reader, mut writer) = (client.reader(), client.writer(kind));
        let source = text.clone();
        let sent = tokio::spawn(async move {
            tokio::io::copy(&mut source.as_bytes(), &mut writer).await.unwrap();
        });
        let mut back = vec![0; text.len()];
        reader.read_exact(&mut back).await.unwrap();
        assert!(back == text.as_bytes());
        sent.await.unwrap();
        client.close().await.unwrap();
        assert_eq!(echo.await.unwrap().unwrap(), text.len() as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn copy_buf_keeps_the_boundaries_of_messages() {
    let (client, server) = testing::pair(Upgrader::new());
    tokio::spawn(async move { tokio::io::copy_buf(&mut server.reader(), &mut server.writer(MessageKind::Text)).await });
    for text in ["a".to_owned(), "ü".repeat(20_000), "b".repeat(64 * 1024)] {
        client.send(text.clone()).await.unwrap();
        assert_eq!(client.recv().await.unwrap(), Some(Message::text(text)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_and_a_websocket_are_joined_by_copy_bidirectional() {
    let (client, server) = testing::pair(Upgrader::new());
    let (mut near, mut far) = duplex(16);
    let proxy = tokio::spawn(async move {
        let mut ws = tokio::io::join(server.reader(), server.writer(MessageKind::Binary));
        tokio::io::copy_bidirectional(&mut ws, &mut far).await
    });
    client.send("to the socket").await.unwrap();
    let mut buffer = [0; 13];
    near.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"to the socket");
    near.write_all(b"to the client").await.unwrap();
    near.shutdown().await.unwrap();
    let mut back = [0; 13];
    client.reader().read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"to the client");
    client.close().await.unwrap();
    assert_eq!(proxy.await.unwrap().unwrap(), (13, 13));
}
