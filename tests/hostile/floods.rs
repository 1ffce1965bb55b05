//! Peers that send without end, or a byte at a time, or read nothing.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::{sleep, timeout};
use tower_websocket::{Connector, ErrorKind, Limits, Manager, WebSocketLayer};

use crate::shared::{
    Frame, REQUEST_TIME, binary, continuation, echo, handed_over, http_server_with_windows, millis, ping, quiet,
    request, secs, serve_connection, text,
};
use crate::support::{LONG, alone, close_code, connect, grown, open, resident, serve, serve_counted, tasks, until};

/// Floods a server with pings and reads none of their pongs, for at most so long. Whether the server ended that.
async fn flood_with_pings(time: Duration) -> bool {
    let (layer, mut managers) = handed_over();
    let address = serve(layer).await;
    let mut stream = open(address, "").await;
    let ws = managers.recv().await.unwrap();
    let before = resident();
    let pings = ping([b'p'; 125]).masked().repeat(1000);
    let flooding = async { while stream.write_all(&pings).await.is_ok() {} };
    let ended = timeout(time, flooding).await.is_ok();
    assert!(grown(before) < 32, "{} MiB more", grown(before));
    if ended {
        assert!(ws.done().await.is_err());
    }
    ended
}

#[test]
fn a_flood_of_pings_whose_pongs_are_not_read_takes_no_memory() {
    alone(flood_with_pings(secs(5)));
}

#[test]
fn a_flood_of_pings_whose_pongs_are_not_read_ends() {
    assert!(alone(flood_with_pings(LONG)));
}

#[test]
fn a_message_of_endless_empty_fragments_ends() {
    alone(async {
        let (layer, mut managers) = handed_over();
        let limits = Limits::default().message_timeout(secs(1));
        let address = serve(layer.upgrader(quiet().limits(limits))).await;
        for fragment in [continuation(""), ping("")] {
            let mut stream = open(address, "").await;
            let ws = managers.recv().await.unwrap();
            let before = resident();
            stream.write_all(&text("").more().masked()).await.unwrap();
            let (mut reader, mut writer) = stream.into_split();
            let reading = tokio::spawn(async move { while reader.read(&mut [0; 4096]).await.unwrap_or(0) > 0 {} });
            let fragments = fragment.more_unless_control().masked().repeat(1000);
            let flooding = async { while writer.write_all(&fragments).await.is_ok() {} };
            timeout(LONG, flooding).await.expect("the flood ends");
            assert_eq!(ws.done().await.unwrap_err().kind(), ErrorKind::ReadTimeout);
            assert!(grown(before) < 32, "{} MiB more", grown(before));
            reading.await.unwrap();
        }
    });
}

#[test]
fn a_message_of_tiny_fragments_is_as_large_as_its_payload() {
    alone(async {
        let (layer, mut managers) = handed_over();
        let address = serve(layer.upgrader(quiet().limits(Limits::default().max_message_size(50_000)))).await;
        for (fragments, code) in [(49_998, None), (60_000, Some(1009))] {
            let mut stream = open(address, "").await;
            let ws = managers.recv().await.unwrap();
            let before = resident();
            stream.write_all(&binary("x").more().masked()).await.unwrap();
            // It may be refused before the last of them.
            let _ = stream.write_all(&continuation("x").more().masked().repeat(fragments)).await;
            if code.is_none() {
                stream.write_all(&continuation("x").masked()).await.unwrap();
                assert_eq!(ws.recv().await.unwrap().unwrap().len(), 50_000);
            } else {
                assert_eq!(ws.done().await.unwrap_err().kind(), ErrorKind::MessageTooBig);
            }
            assert!(grown(before) < 32, "{} MiB more", grown(before));
        }
    });
}

#[test]
fn a_flood_of_headers_reaches_no_handler() {
    alone(async {
        let (address, opened) = serve_counted().await;
        let before = (resident(), tasks());
        for line in [
            "x-flood: 1\r\n".to_owned(),
            format!("x-{}: 1\r\n", "y".repeat(60_000)),
            "sec-websocket-protocol: a\r\n".to_owned(),
        ] {
            for _ in 0..10 {
                let mut stream = connect(address).await;
                let request = request("localhost", "/", &line.repeat(4_000_000 / line.len()));
                // It is refused before all of it is sent.
                let _ = stream.write_all(request.as_bytes()).await;
                let mut answer = Vec::new();
                let _ = timeout(LONG, stream.read_to_end(&mut answer)).await.expect("it is refused");
                assert!(!answer.starts_with(b"HTTP/1.1 101"));
            }
        }
        assert_eq!(opened.load(Ordering::Relaxed), 0);
        until("the connections end", || tasks() == before.1).await;
        assert!(grown(before.0) < 32, "{} MiB more", grown(before.0));
    });
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_byte_by_byte_is_given_up() {
    let (mut near, far) = duplex(4096);
    let service = WebSocketLayer::new(echo).into_service();
    let serving = tokio::spawn(serve_connection(http_server_with_windows(), far, service));
    let start = tokio::time::Instant::now();
    for byte in b"GET / HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
        if near.write_all(&[*byte]).await.is_err() {
            break;
        }
        sleep(millis(500)).await;
    }
    serving.await.unwrap();
    assert!((REQUEST_TIME..REQUEST_TIME + secs(1)).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_byte_by_byte_is_given_up() {
    let (near, mut far) = duplex(4096);
    let connector = Connector::new().limits(Limits::default().handshake_timeout(secs(10)));
    let start = tokio::time::Instant::now();
    let dripping = tokio::spawn(async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            far.read_buf(&mut request).await.unwrap();
        }
        for byte in b"HTTP/1.1 101 Switching Protocols\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
            if far.write_all(&[*byte]).await.is_err() {
                break;
            }
            sleep(millis(500)).await;
        }
    });
    let error = connector.connect_over(near, "ws://localhost/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert_eq!(start.elapsed(), secs(10));
    dripping.await.unwrap();
}

#[test]
fn peers_that_never_read_end_in_time() {
    alone(async {
        let layer = WebSocketLayer::new(|ws: Manager| async move {
            let data = vec![7; 60_000];
            while ws.send(data.clone()).await.is_ok() {}
        });
        let limits = Limits::default().write_timeout(secs(2));
        let shutdown = tower_websocket::Shutdown::new();
        let address = serve(layer.upgrader(quiet().limits(limits)).shutdown(&shutdown)).await;
        let before = (resident(), tasks());
        let mut peers = Vec::new();
        for _ in 0..50 {
            peers.push(open(address, "").await);
        }
        until("all are given up", || shutdown.connections() == 0).await;
        assert!(grown(before.0) < 64, "{} MiB more", grown(before.0));
        assert!(close_code(&mut peers[0]).await.is_none(), "what it never read comes first");
        drop(peers);
        until("nothing is left", || tasks() == before.1).await;
    });
}

trait Fragment {
    fn more_unless_control(self) -> Self;
}

impl Fragment for Frame {
    fn more_unless_control(self) -> Self {
        if self.first & 0x08 == 0 { self.more() } else { self }
    }
}
