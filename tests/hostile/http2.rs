//! HTTP/2 with more streams, headers or pings than a client needs (RFC 8441, CVE-2023-44487).

use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Reason, SendStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower_websocket::{ErrorKind, Shutdown, WebSocketLayer};

use crate::shared::{echo, handed_over, handshake, ping, quiet, websocket_request};
use crate::support::{LONG, alone, connect, descriptors, grown, resident, serve, serve_counted, tasks, until};

async fn client(address: SocketAddr) -> (SendRequest<Bytes>, JoinHandle<()>) {
    let (sender, connection) = handshake(&Builder::new(), connect(address).await).await;
    // How it ends is the server's choice.
    (sender, tokio::spawn(async { connection.await.unwrap_or(()) }))
}

fn request() -> http::Request<()> {
    websocket_request("http://localhost/").header("sec-websocket-version", "13").body(()).unwrap()
}

#[test]
fn streams_that_are_reset_at_once_free_everything() {
    alone(async {
        let shutdown = Shutdown::new();
        let address = serve(WebSocketLayer::new(echo).upgrader(quiet()).shutdown(&shutdown)).await;
        let before = (tasks(), descriptors());
        let start = resident();
        for answered in [false, true] {
            for _ in 0..5 {
                let (mut sender, connection) = client(address).await;
                for _ in 0..300 {
                    // The server may have had enough of this connection.
                    let Ok(ready) = sender.clone().ready().await else { break };
                    sender = ready;
                    let Ok((response, mut stream)) = sender.send_request(request(), false) else { break };
                    if answered && response.await.is_err() {
                        break;
                    }
                    stream.send_reset(Reason::CANCEL);
                }
                drop(sender);
                connection.await.unwrap();
            }
            until("nothing is left", || {
                shutdown.connections() == 0 && tasks() <= before.0 && descriptors() <= before.1
            })
            .await;
        }
        assert!(grown(start) < 32, "{} MiB more", grown(start));
    });
}

#[test]
fn as_many_streams_as_there_may_be_end_with_their_connection() {
    alone(async {
        let shutdown = Shutdown::new();
        let address = serve(WebSocketLayer::new(echo).upgrader(quiet()).shutdown(&shutdown)).await;
        let before = (tasks(), descriptors());
        for _ in 0..3 {
            let (mut sender, connection) = client(address).await;
            let mut streams = Vec::new();
            for _ in 0..100 {
                sender = sender.ready().await.unwrap();
                let (response, send) = sender.send_request(request(), false).unwrap();
                let response = response.await.unwrap();
                assert_eq!(response.status(), 200);
                streams.push((send, response.into_body()));
            }
            until("all are open", || shutdown.connections() == 100).await;
            connection.abort();
            until("nothing is left", || shutdown.connections() == 0).await;
            drop((streams, sender));
        }
        until("nothing is left", || tasks() <= before.0 && descriptors() <= before.1).await;
    });
}

/// Sends this until the stream is over, no more at a time than the server takes.
async fn send_without_end(stream: &mut SendStream<Bytes>, data: Bytes) {
    loop {
        stream.reserve_capacity(data.len());
        while stream.capacity() < data.len() {
            let Some(Ok(_)) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return };
        }
        if stream.send_data(data.clone(), false).is_err() {
            return;
        }
    }
}

#[test]
fn a_flood_of_pings_whose_pongs_are_not_read_ends() {
    alone(async {
        let (layer, mut managers) = handed_over();
        let address = serve(layer).await;
        let (sender, _connection) = client(address).await;
        let (response, mut stream) = sender.ready().await.unwrap().send_request(request(), false).unwrap();
        let _unread = response.await.unwrap().into_body();
        let ws = managers.recv().await.unwrap();
        let before = resident();
        let pings = ping([b'p'; 125]).masked().repeat(100);
        // hyper may keep the stream itself, with what it has to send, for as long as the peer opens no window.
        let flooding = async {
            send_without_end(&mut stream, pings.into()).await;
            pending::<()>().await;
        };
        let end = async {
            tokio::select! { () = flooding => unreachable!("it never ends"), end = ws.done() => end }
        };
        let end = timeout(LONG, end).await.expect("the connection ends");
        assert_eq!(end.unwrap_err().kind(), ErrorKind::WriteTimeout);
        assert!(grown(before) < 32, "{} MiB more", grown(before));
    });
}

#[test]
fn a_flood_of_headers_reaches_no_handler() {
    alone(async {
        let (address, opened) = serve_counted().await;
        let before = (resident(), tasks());
        for (lines, len) in [(20_000, 1), (100, 60_000)] {
            for _ in 0..10 {
                let (sender, connection) = client(address).await;
                let mut request = request();
                for _ in 0..lines {
                    request.headers_mut().append("x-flood", "y".repeat(len).parse().unwrap());
                }
                let (response, _stream) = sender.ready().await.unwrap().send_request(request, false).unwrap();
                // An answer, or the end of the stream or of all of them.
                let answer = timeout(LONG, response).await.expect("it is refused");
                assert!(answer.is_err() || answer.is_ok_and(|response| response.status() == 431));
                connection.abort();
            }
        }
        assert_eq!(opened.load(Ordering::Relaxed), 0);
        until("the connections end", || tasks() <= before.1).await;
        assert!(grown(before.0) < 64, "{} MiB more", grown(before.0));
    });
}
