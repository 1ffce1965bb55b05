//! Lines and JSON values of a source, each as a message.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf, duplex};
use tokio::time::{sleep, timeout};
use tower_websocket::{Budget, CloseCode, ErrorKind, Manager, Message, Upgrader, testing};

use super::{Drip, copied, drip};

#[tokio::test(start_paused = true)]
async fn each_line_is_a_message_however_reads_split_it() {
    let long = "ü".repeat(100_000);
    let text = format!("one\r\n\ntwo ü\r\n{long}\r\n\r\nlast");
    let lines = ["one", "", "two ü", &long, "", "last"];
    for step in [1, 2, 3, 1000, usize::MAX] {
        let (result, texts) =
            copied(async |ws| ws.copy_text_lines_with(drip(text.as_bytes(), step), &Budget::new(1 << 20)).await).await;
        assert_eq!(result, Ok(6));
        assert!(texts == lines, "{step}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_not_utf8_comes_after_those_before_it() {
    let (result, texts) = copied(async |ws| ws.copy_text_lines(&b"one\ntwo\nthr\xFFee\nfour"[..]).await).await;
    assert_eq!((result, texts), (Err(ErrorKind::Decode), vec!["one".into(), "two".into()]));
}

#[tokio::test(start_paused = true)]
async fn each_json_value_is_a_message_however_reads_split_it() {
    let long = format!("{{\"long\": [\"{}\"]}}", "\\\"ü}".repeat(40_000));
    let text = format!(" {{\"a\": 1}}[1, 2]\n\"ü\\\"\"7 true{long}null{{}}-1.5");
    let values = ["{\"a\": 1}", "[1, 2]", "\"ü\\\"\"", "7", "true", &long, "null", "{}", "-1.5"];
    for step in [1, 2, 3, 1000, usize::MAX] {
        let (result, texts) =
            copied(async |ws| ws.copy_json_stream_with(drip(text.as_bytes(), step), &Budget::new(1 << 20)).await).await;
        assert_eq!(result, Ok(9));
        assert!(texts == values, "{step}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_json_comes_after_the_values_before_it() {
    for (source, values) in [
        (&b"1 {\"a\":2} {a:3} 4"[..], &["1", "{\"a\":2}"][..]),
        (b"[1] ]", &["[1]"]),
        (b"[1] [2", &["[1]"]),
        (b"\"a\" \"b", &["\"a\""]),
        (b"1,2", &["1"]),
        (b"true tru", &["true"]),
        (b"{} \"\xFF\"", &["{}"]),
    ] {
        for step in [1, usize::MAX] {
            let (result, texts) =
                copied(async |ws| ws.copy_json_stream_with(drip(source, step), &Budget::new(1 << 20)).await).await;
            assert_eq!(result, Err(ErrorKind::Decode));
            assert_eq!(texts, values);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_of_nothing_is_no_message() {
    assert_eq!(copied(async |ws| ws.copy_text_lines(&b""[..]).await).await, (Ok(0), vec![]));
    assert_eq!(copied(async |ws| ws.copy_json_stream(&b" \n"[..]).await).await, (Ok(0), vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_is_an_error_of_its_own_kind() {
    let end = || Err(io::ErrorKind::PermissionDenied.into());
    let (client, server) = testing::pair(Upgrader::new());
    for copy_lines in [true, false] {
        let source = Drip { bytes: b"1\n2\n", step: 1, end };
        let copy = async {
            if copy_lines { server.copy_text_lines(source).await } else { server.copy_json_stream(source).await }
        };
        let error = copy.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Source);
        let source = std::error::Error::source(&error).unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), io::ErrorKind::PermissionDenied);
        for text in ["1", "2"] {
            assert_eq!(client.recv().await.unwrap(), Some(Message::text(text)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_ends_when_the_peer_leaves_though_the_source_is_silent() {
    let (client, server) = testing::pair(Upgrader::new());
    let (_feed, source) = duplex(1024);
    let (_feed_too, source_too) = duplex(1024);
    let left = async {
        sleep(Duration::from_secs(60)).await;
        client.close_with(CloseCode::GOING_AWAY, "bye").await.unwrap();
    };
    let (lines, values, ()) = tokio::join!(server.copy_text_lines(source), server.copy_json_stream(source_too), left);
    for error in [lines.unwrap_err(), values.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert_eq!(error.close_frame().unwrap().code(), CloseCode::GOING_AWAY);
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_to_a_closed_peer_fails_at_the_first_line() {
    let (client, server) = testing::pair(Upgrader::new());
    client.close().await.unwrap();
    let error = server.copy_text_lines(&b"late\n"[..]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn lines_of_a_live_source_leave_at_once() {
    let (client, server) = testing::pair(Upgrader::new());
    let (mut feed, source) = duplex(1024);
    let copy = tokio::spawn(async move { server.copy_text_lines(source).await });
    for line in ["a", "b", "c"] {
        feed.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        let message = timeout(Duration::from_millis(1), client.recv()).await.unwrap().unwrap();
        assert_eq!(message, Some(Message::text(line)));
    }
    drop(feed);
    assert_eq!(copy.await.unwrap().unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_handler_copies_within_its_own_connection() {
    let handler = |ws: Manager| async move { ws.copy_text_lines(ws.reader()).await.map(drop) };
    let client = testing::TestClient::new(tower_websocket::WebSocketLayer::new(handler).into_service());
    let ws = client.connect("/").await.unwrap();
    for part in ["on", "e\ntw", "o", "\n"] {
        ws.send(part).await.unwrap();
    }
    for line in ["one", "two"] {
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text(line)));
    }
    ws.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_endless_source_in_memory_lets_others_run() {
    let (_client, server) = testing::pair(Upgrader::new());
    struct Spaces;
    impl AsyncRead for Spaces {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            buf.put_slice(b" ");
            Poll::Ready(Ok(()))
        }
    }
    let copy = tokio::spawn(async move { server.copy_json_stream(Spaces).await });
    tokio::task::yield_now().await;
    copy.abort();
    assert!(copy.await.unwrap_err().is_cancelled());
}
