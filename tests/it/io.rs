//! Byte streams over messages, and messages out of byte streams.

#![expect(clippy::unwrap_used, reason = "clippy knows tests, not their helpers")]

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf, duplex};
use tokio::time::{sleep, timeout};
use tower_websocket::{
    Budget, CloseCode, Compression, Error, ErrorKind, Limits, Manager, Message, MessageKind, Upgrader, testing,
};

/// A source that gives a few bytes at a time, then what it is told to.
struct Drip<'a> {
    bytes: &'a [u8],
    step: usize,
    end: fn() -> io::Result<()>,
}

fn drip(bytes: &[u8], step: usize) -> Drip<'_> {
    Drip { bytes, step, end: || Ok(()) }
}

impl AsyncRead for Drip<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.bytes.is_empty() {
            return Poll::Ready((self.end)());
        }
        let (step, rest) = self.bytes.split_at(self.step.min(buf.remaining()).min(self.bytes.len()));
        buf.put_slice(step);
        self.bytes = rest;
        Poll::Ready(Ok(()))
    }
}

/// All messages until the connection is closed.
async fn collect(ws: Manager) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some(message) = ws.recv().await.unwrap() {
        messages.push(message);
    }
    messages
}

/// What a copy returned, and the texts that arrived.
async fn copied(copy: impl AsyncFnOnce(&Manager) -> Result<u64, Error>) -> (Result<u64, ErrorKind>, Vec<String>) {
    let (client, server) = testing::pair(Upgrader::new());
    let received = tokio::spawn(collect(client));
    let result = copy(&server).await.map_err(|error| error.kind());
    // Whatever came of it, the connection stays usable.
    server.close().await.unwrap();
    let texts = received.await.unwrap().iter().map(|message| message.as_text().unwrap().to_owned()).collect();
    (result, texts)
}

fn inner(error: &io::Error) -> ErrorKind {
    error.get_ref().unwrap().downcast_ref::<Error>().unwrap().kind()
}

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
    // A client that does not read answers no ping: its one unread message holds reading up.
    server.send("a").await.unwrap();
    server.send("b").await.unwrap();
    server.send("c").await.unwrap();
    let error = server.reader().read(&mut [0]).await.unwrap_err();
    assert_eq!((error.kind(), inner(&error)), (io::ErrorKind::TimedOut, ErrorKind::KeepaliveTimeout));
    drop(client);
}

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
async fn a_line_beyond_the_budget_leaves_the_connection_usable() {
    let budget = Budget::new(200_000);
    for (len, expected) in
        [(200_000, Ok(3)), (200_001, Err(ErrorKind::BudgetExceeded)), (5_000_000, Err(ErrorKind::BudgetExceeded))]
    {
        let text = ["short\n", &"x".repeat(len - 1), "\nlast\n"].concat();
        for step in [1000, usize::MAX] {
            let (result, texts) =
                copied(async |ws| ws.copy_text_lines_with(drip(text.as_bytes(), step), &budget).await).await;
            assert_eq!(result, expected, "{len}");
            assert_eq!(texts.len(), if expected.is_ok() { 3 } else { 1 });
            assert_eq!(budget.used(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_json_value_beyond_the_budget_leaves_the_connection_usable() {
    let budget = Budget::new(100_000);
    let text = ["1 [\"", &"x".repeat(200_000), "\"]"].concat();
    let (result, texts) = copied(async |ws| ws.copy_json_stream_with(text.as_bytes(), &budget).await).await;
    assert_eq!((result, texts), (Err(ErrorKind::BudgetExceeded), vec!["1".into()]));
    assert_eq!(budget.used(), 0);
    // Whitespace is not kept, and short values are not counted.
    let text = [" ".repeat(300_000), "[2]".repeat(100_000)].concat();
    let (result, texts) = copied(async |ws| ws.copy_json_stream_with(text.as_bytes(), &Budget::new(0)).await).await;
    assert_eq!((result, texts.len()), (Ok(100_000), 100_000));
}

#[tokio::test(start_paused = true)]
async fn without_another_budget_64_mib_are_the_limit() {
    let (result, texts) = copied(async |ws| ws.copy_text_lines(tokio::io::repeat(b'x')).await).await;
    assert_eq!((result, texts), (Err(ErrorKind::BudgetExceeded), vec![]));
}

#[tokio::test(start_paused = true)]
async fn two_copies_share_a_budget() {
    let budget = Budget::new(200_000);
    let (client, server) = testing::pair(Upgrader::new());
    let (mut feed, source) = duplex(1024);
    let (ws, shared) = (server.clone(), budget.clone());
    let first = tokio::spawn(async move { ws.copy_json_stream_with(source, &shared).await });
    feed.write_all(b"[\"").await.unwrap();
    feed.write_all(&[b'x'; 150_000]).await.unwrap();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(budget.used(), 150_002);

    let line = "y".repeat(100_000);
    let error = server.copy_text_lines_with(line.as_bytes(), &budget).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BudgetExceeded);

    feed.write_all(b"\"]").await.unwrap();
    assert_eq!(client.recv().await.unwrap().unwrap().len(), 150_004);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(budget.used(), 0, "a value that is sent is paid back");
    assert_eq!(server.copy_text_lines_with(line.as_bytes(), &budget).await.unwrap(), 1);

    feed.write_all(&[b'['; 100_000]).await.unwrap();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(budget.used(), 100_000);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(budget.used(), 0, "a dropped copy pays back");
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
