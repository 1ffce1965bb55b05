//! A stream of bytes as messages.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tower_websocket::{ErrorKind, Limits, Message, MessageKind, Upgrader, testing};

use super::{collect, inner};

#[tokio::test(start_paused = true)]
async fn each_write_is_a_message() {
    let (client, server) = testing::pair(Upgrader::new());
    let mut writer = server.writer(MessageKind::Binary);
    assert_eq!(writer.write(b"\xFF").await.unwrap(), 1);
    assert_eq!(writer.write(b"").await.unwrap(), 0);
    assert_eq!(writer.write(b"two").await.unwrap(), 3);
    assert_eq!(client.recv().await.unwrap(), Some(Message::binary(b"\xFF".to_vec())));
    assert_eq!(client.recv().await.unwrap(), Some(Message::binary(b"two".to_vec())));
}

#[tokio::test(start_paused = true)]
async fn a_long_write_is_taken_in_part() {
    let (client, server) = testing::pair(Upgrader::new());
    // 64 KiB end within a character of three bytes.
    let text = "€".repeat(50_000);
    let received = tokio::spawn(collect(client));
    let mut writer = server.writer(MessageKind::Text);
    assert_eq!(writer.write(text.as_bytes()).await.unwrap(), 64 * 1024);
    writer.write_all(&text.as_bytes()[64 * 1024..]).await.unwrap();
    writer.shutdown().await.unwrap();
    server.close().await.unwrap();
    let messages = received.await.unwrap();
    assert!(messages.iter().all(|message| message.len() <= 64 * 1024 + 3));
    assert_eq!(messages.iter().map(|message| message.as_text().unwrap()).collect::<String>(), text);
}

#[tokio::test(start_paused = true)]
async fn text_may_be_cut_at_every_byte() {
    let text = "aé€🦀z";
    for cut in 0..=text.len() {
        let (client, server) = testing::pair(Upgrader::new());
        let received = tokio::spawn(collect(client));
        let mut writer = server.writer(MessageKind::Text);
        let (left, right) = text.as_bytes().split_at(cut);
        writer.write_all(left).await.unwrap();
        for byte in right {
            writer.write_all(&[*byte]).await.unwrap();
        }
        writer.shutdown().await.unwrap();
        server.close().await.unwrap();
        let messages = received.await.unwrap();
        assert!(messages.iter().all(|message| !message.is_empty()));
        assert_eq!(messages.iter().map(|message| message.as_text().unwrap()).collect::<String>(), text, "{cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_of_text_refuses_what_is_no_text() {
    let (client, server) = testing::pair(Upgrader::new());
    let mut writer = server.writer(MessageKind::Text);
    assert_eq!(writer.write(b"ok\xFF").await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    writer.write_all(b"\xE2\x82").await.unwrap();
    writer.flush().await.unwrap();
    assert_eq!(writer.write(b"!").await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert_eq!(writer.shutdown().await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    writer.write_all(b"\xAC").await.unwrap();
    writer.shutdown().await.unwrap();
    assert_eq!(client.recv().await.unwrap(), Some(Message::text("€")));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_leaves_the_websocket_open() {
    let (client, server) = testing::pair(Upgrader::new());
    let mut writer = server.writer(MessageKind::Text);
    writer.write_all(b"half").await.unwrap();
    writer.shutdown().await.unwrap();
    client.send("answer").await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some(Message::text("answer")));
    assert_eq!(client.recv().await.unwrap(), Some(Message::text("half")));
}

#[tokio::test(start_paused = true)]
async fn a_writer_waits_for_a_slow_peer() {
    let upgrader =
        Upgrader::new().without_compression().limits(Limits::default().write_timeout(Duration::from_secs(3600)));
    let (client, server) = testing::pair(upgrader);
    let mut writer = server.writer(MessageKind::Binary);
    let mut taken = 0;
    while let Ok(written) = timeout(Duration::from_millis(1), writer.write(&[7; 10_000])).await {
        taken += written.unwrap();
        assert!(taken < 1_000_000);
    }
    assert!(timeout(Duration::from_millis(1), writer.flush()).await.is_err());
    let received = tokio::spawn(collect(client));
    writer.flush().await.unwrap();
    server.close().await.unwrap();
    assert_eq!(received.await.unwrap().iter().map(Message::len).sum::<usize>(), taken);
}

#[tokio::test(start_paused = true)]
async fn a_write_to_a_closed_peer_is_a_broken_pipe() {
    let (client, server) = testing::pair(Upgrader::new());
    let mut writer = server.writer(MessageKind::Text);
    client.close().await.unwrap();
    let error = writer.write(b"late").await.unwrap_err();
    assert_eq!((error.kind(), inner(&error)), (io::ErrorKind::BrokenPipe, ErrorKind::Closed));
    // Nothing is waiting to be written.
    writer.flush().await.unwrap();
}
