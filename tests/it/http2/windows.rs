//! Flow control: a stream whose peer or whose handler does not read.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::client::Builder;
use http::StatusCode;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::duplex;
use tokio::time::{Instant, timeout};
use tokio_io_timeout::TimeoutWriter;
use tower_websocket::{Error, ErrorKind, Limits, Message, Shutdown};

use super::peer::{BINARY, Peer, TEXT, VERSION, WRITE_TIME, flood, settle};
use crate::net::handed_over;
use crate::shared::{echo, http_server, http_server_with_windows, quiet, serve_connection, websocket_request};

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_read_stops_no_other_and_stays_small() {
    let taken = Arc::new(AtomicUsize::new(0));
    let (layer, mut handlers) = handed_over();
    let mut peer = Peer::connect(layer.upgrader(quiet().without_compression())).await;
    let mut stalled = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    let start = Instant::now();
    let flooding = tokio::spawn(flood(handler.clone(), taken.clone()));
    let mut busy = Vec::new();
    for _ in 0..5 {
        let stream = peer.open("http://h/", &[VERSION]).await;
        let handler = handlers.recv().await.unwrap();
        tokio::spawn(echo(handler));
        busy.push(stream);
    }
    for round in 0_u8..200 {
        for stream in &mut busy {
            stream.send(BINARY, &[round; 100]);
            stream.expect(BINARY, &[round; 100]).await;
        }
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    settle().await;
    let taken = taken.load(Ordering::Relaxed);
    assert!(taken < 512 * 1024, "{taken} bytes for a peer that reads nothing");

    assert_eq!(flooding.await.unwrap().unwrap_err().kind(), ErrorKind::WriteTimeout);
    assert_eq!(start.elapsed().as_secs(), WRITE_TIME.as_secs());
    assert_eq!(handler.done().await.unwrap_err().kind(), ErrorKind::WriteTimeout);
    for stream in &mut busy {
        stream.send(BINARY, b"still here");
        stream.expect(BINARY, b"still here").await;
    }
    // hyper (1.12) has no way to reset an upgraded stream: what it holds stays until the peer reads it, resets the stream or
    // leaves. Then the stream ends as a TCP connection would, without a close frame.
    settle().await;
    assert_eq!(stalled.reset().await, None);
    let mut rest = 0;
    while let Some(data) = stalled.receive.data().await {
        rest += data.as_ref().unwrap().len();
        stalled.receive.flow_control().release_capacity(data.unwrap().len()).unwrap();
    }
    assert!(rest <= taken + 4096, "{rest} bytes after the end, of {taken}");
}

/// hyper takes as much as it is given, whatever the peer's window.
#[tokio::test(start_paused = true)]
async fn of_a_large_message_only_a_part_waits_in_hyper() {
    let (layer, mut handlers) = handed_over();
    let mut peer = Peer::connect(layer.upgrader(quiet().without_compression())).await;
    let _unread = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    let error = handler.write_data(vec![0; 8 * 1024 * 1024], Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteTimeout);
    let sent = handler.stats().wire_sent;
    assert!(sent <= 64 * 1024 + 100, "{sent}");
}

/// hyper cannot reset the streams of such a peer, and its keepalive waits for the peer too: the guide `server` says what helps.
#[tokio::test(start_paused = true)]
async fn a_connection_whose_peer_does_not_read_is_ended_by_a_write_timeout() {
    let (layer, mut handlers) = handed_over();
    let (near, far) = duplex(64 * 1024);
    let service = TowerToHyperService::new(layer.upgrader(quiet()).into_service());
    let server = tokio::spawn(async move {
        let mut far = TimeoutWriter::new(far);
        far.set_timeout(Some(Duration::from_secs(30)));
        let far = TokioIo::new(Box::pin(far));
        http_server_with_windows().serve_connection_with_upgrades(far, service).await.map_err(|error| error.to_string())
    });
    let mut builder = Builder::new();
    builder.initial_window_size(6 * 1024 * 1024).initial_connection_window_size(15 * 1024 * 1024);
    let (mut sender, mut connection) = builder.handshake::<_, Bytes>(near).await.unwrap();
    let mut poll = async || {
        assert!(poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut connection).poll(cx))).await.is_pending());
        settle().await;
    };
    while !sender.is_extended_connect_protocol_enabled() {
        poll().await;
    }
    let request = websocket_request("http://h/").header(VERSION.0, VERSION.1).body(()).unwrap();
    let _stream = sender.send_request(request, false).unwrap();
    while handlers.is_empty() {
        poll().await;
    }
    // From here on the client reads nothing, whatever its window.
    let handler = handlers.recv().await.unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let error = flood(handler.clone(), taken).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteTimeout);
    let sent = handler.stats().wire_sent;
    assert!(sent <= (128 + 64) * 1024, "{sent} bytes were taken, 64 KiB of them by the transport");
    assert!(server.await.unwrap().is_err());
}

/// Why the guide `server` says that such streams count until the peer resets them.
#[tokio::test(start_paused = true)]
async fn streams_of_a_peer_that_reads_nothing_are_in_use_until_it_resets_them() {
    let (layer, mut handlers) = handed_over();
    let shutdown = Shutdown::new();
    let service = layer.upgrader(quiet().without_compression()).shutdown(&shutdown).into_service();
    let mut server = http_server_with_windows();
    server.http2().max_concurrent_streams(2);
    let (near, far) = duplex(1024 * 1024);
    tokio::spawn(serve_connection(server, far, service));
    let mut peer = Peer::over(near).await;
    let mut stalled = Vec::new();
    for _ in 0..2 {
        stalled.push(peer.open("http://h/", &[VERSION]).await);
        let error = flood(handlers.recv().await.unwrap(), Arc::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteTimeout);
    }
    settle().await;
    assert_eq!(shutdown.connections(), 0);
    let mut third = pin!(peer.open("http://h/", &[VERSION]));
    let opened = timeout(Duration::from_secs(60), &mut third).await;
    assert!(opened.is_err(), "hyper resets streams now: say so in the guide `server`");
    stalled[0].send.send_reset(Reason::CANCEL);
    assert_eq!(third.await.response.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_starts_to_read_again_gets_everything() {
    let (layer, mut handlers) = handed_over();
    let limits = Limits::default().write_timeout(Duration::from_secs(3600));
    let mut peer = Peer::connect(layer.upgrader(quiet().without_compression().limits(limits))).await;
    let mut stream = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    let sending = tokio::spawn(async move {
        for number in 0..10_000_u32 {
            handler.send(format!("{number:0100}")).await?;
        }
        Ok::<_, Error>(())
    });
    settle().await;
    assert!(!sending.is_finished());
    for number in 0..10_000_u32 {
        stream.expect(TEXT, format!("{number:0100}").as_bytes()).await;
    }
    sending.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_does_not_read_stops_no_other() {
    let (layer, mut handlers) = handed_over();
    let mut peer = Peer::connect(layer.upgrader(quiet())).await;
    let mut unread = peer.open("http://h/", &[VERSION]).await;
    let handler = handlers.recv().await.unwrap();
    let mut busy = peer.open("http://h/", &[VERSION]).await;
    tokio::spawn(echo(handlers.recv().await.unwrap()));
    for number in 0..10_000_u32 {
        unread.send(TEXT, format!("{number:0100}").as_bytes());
    }
    settle().await;
    for _ in 0..100 {
        busy.send(TEXT, b"quick");
        busy.expect(TEXT, b"quick").await;
    }
    for number in 0..10_000_u32 {
        assert_eq!(handler.recv().await.unwrap(), Some(Message::text(format!("{number:0100}"))));
    }
}

#[tokio::test(start_paused = true)]
async fn many_unread_sockets_with_small_messages_stop_no_other() {
    let (layer, mut handlers) = handed_over();
    let mut peer = Peer::connect(layer.upgrader(quiet())).await;
    let mut busy = peer.open("http://h/", &[VERSION]).await;
    tokio::spawn(echo(handlers.recv().await.unwrap()));
    let mut unread = Vec::new();
    // Empty messages are the worst, as h2 charges each of them like one of 256 bytes.
    for _ in 0..12 {
        let mut stream = peer.open("http://h/", &[VERSION]).await;
        // More than its window.
        for _ in 0..12_000 {
            stream.send(TEXT, b"");
        }
        unread.push((stream, handlers.recv().await.unwrap()));
    }
    settle().await;
    for _ in 0..100 {
        busy.send(TEXT, b"quick");
        busy.expect(TEXT, b"quick").await;
    }
}

/// Why `http_server_with_windows` is there, and why the guide `server` says so.
#[tokio::test(start_paused = true)]
async fn with_the_windows_of_hyper_handlers_that_do_not_read_stop_all_others() {
    let (layer, mut handlers) = handed_over();
    let (near, far) = duplex(1024 * 1024);
    tokio::spawn(serve_connection(http_server(), far, layer.upgrader(quiet()).into_service()));
    let mut peer = Peer::over(near).await;
    let mut busy = peer.open("http://h/", &[VERSION]).await;
    tokio::spawn(echo(handlers.recv().await.unwrap()));
    busy.send(TEXT, b"quick");
    busy.expect(TEXT, b"quick").await;
    let mut unread = Vec::new();
    for _ in 0..2 {
        let mut stream = peer.open("http://h/", &[VERSION]).await;
        for _ in 0..200 {
            // A frame of 8 KiB: its length is in 16 more bits.
            let mut frame = vec![0x80 | BINARY, 0x80 | 126, 0x20, 0, 0, 0, 0, 0];
            frame.resize(8 + 0x2000, 0);
            stream.send.send_data(frame.into(), false).unwrap();
        }
        unread.push((stream, handlers.recv().await.unwrap()));
    }
    settle().await;
    busy.send(TEXT, b"quick");
    let answer = timeout(Duration::from_secs(60), busy.expect(TEXT, b"quick")).await;
    assert!(answer.is_err(), "hyper has better windows now: say so in the guide `server`");
}
