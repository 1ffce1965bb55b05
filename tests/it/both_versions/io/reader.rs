//! Messages as a stream of bytes.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tower_websocket::{CloseCode, ErrorKind, Limits, Message, MessageKind, Upgrader, testing};

use super::inner;

#[tokio::test(start_paused = true)]
async fn a_reader_joins_messages_whatever_the_size_of_the_buffer() {
    for size in [1, 2, 3, 7, 64, 100_000] {
        let (client, server) = testing::pair(Upgrader::new());
        let sent = tokio::spawn(async move {
            for message in [Message::text("zwölf"), Message::binary(vec![0, 255]), "".into(), "x".repeat(70_000).into()]
            {
                client.send(message).await.unwrap();
            }
            client.close().await.unwrap();
        });
        let mut reader = server.reader();
        let mut all = Vec::new();
        let mut buffer = vec![0; size];
        loop {
            let read = reader.read(&mut buffer).await.unwrap();
            if read == 0 {
                break;
            }
            all.extend_from_slice(&buffer[..read]);
        }
        let expected = [&b"zw\xC3\xB6lf\x00\xFF"[..], &b"x".repeat(70_000)].concat();
        assert!(all == expected, "{size}");
        assert_eq!(reader.read(&mut buffer).await.unwrap(), 0);
        sent.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn empty_messages_are_not_the_end() {
    let (client, server) = testing::pair(Upgrader::new());
    tokio::spawn(async move {
        for message in ["", "", "a", "", "b", ""] {
            client.send(message).await.unwrap();
        }
        client.close_with(CloseCode::GOING_AWAY, "").await.unwrap();
    });
    let mut all = String::new();
    server.reader().read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "ab");
    assert_eq!(server.done().await.unwrap().code(), CloseCode::GOING_AWAY);
}

#[tokio::test(start_paused = true)]
async fn a_read_into_nothing_does_not_wait() {
    let (_client, server) = testing::pair(Upgrader::new());
    assert_eq!(server.reader().read(&mut []).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_read_loses_nothing() {
    let (client, server) = testing::pair(Upgrader::new());
    let mut reader = server.reader();
    let mut buffer = [0; 3];
    assert!(timeout(Duration::from_secs(1), reader.read(&mut buffer)).await.is_err());
    client.send("abcdef").await.unwrap();
    reader.read_exact(&mut buffer).await.unwrap();
    assert!(timeout(Duration::from_secs(1), server.recv()).await.is_err(), "the reader has the whole message");
    reader.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"def");
}

#[tokio::test(start_paused = true)]
async fn a_reader_gives_lines() {
    let (client, server) = testing::pair(Upgrader::new());
    tokio::spawn(async move {
        client.send("one\ntw").await.unwrap();
        client.send("o\nthree").await.unwrap();
        client.close().await.unwrap();
    });
    let mut lines = server.reader().lines();
    for line in ["one", "two", "three"] {
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some(line));
    }
    assert_eq!(lines.next_line().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_failed_connection_is_an_error_of_each_read_and_write() {
    let (client, server) = testing::pair(Upgrader::new().limits(Limits::default().max_message_size(10)));
    let (mut reader, mut writer) = (server.reader(), server.writer(MessageKind::Binary));
    client.send("more than ten").await.unwrap();
    for _ in 0..2 {
        let error = reader.read(&mut [0]).await.unwrap_err();
        assert_eq!((error.kind(), inner(&error)), (io::ErrorKind::InvalidData, ErrorKind::MessageTooBig));
        let error = writer.write(b"late").await.unwrap_err();
        assert_eq!(inner(&error), ErrorKind::MessageTooBig);
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_timeout_of_a_read() {
    let (client, server) = testing::pair(Upgrader::new());
    // A client that does not receive answers no ping once its unread messages have reached their limit.
    for _ in 0..3 {
        server.send_uncompressed(vec![0; 40_000]).await.unwrap();
    }
    let error = server.reader().read(&mut [0]).await.unwrap_err();
    assert_eq!((error.kind(), inner(&error)), (io::ErrorKind::TimedOut, ErrorKind::KeepaliveTimeout));
    drop(client);
}
