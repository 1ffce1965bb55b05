//! HTTP/2 with more streams than anybody needs (RFC 8441, CVE-2023-44487).

use bytes::Bytes;
use h2::Reason;
use h2::client::{Builder, SendRequest};
use std::net::SocketAddr;
use tokio::task::JoinHandle;
use tower_websocket::{Shutdown, WebSocketLayer};

use crate::shared::{echo, handshake, quiet, websocket_request};
use crate::support::{alone, connect, descriptors, grown, resident, serve, tasks, until};

async fn client(address: SocketAddr) -> (SendRequest<Bytes>, JoinHandle<()>) {
    let (sender, connection) = handshake(&Builder::new(), connect(address).await).await;
    // How it ends is the server's choice.
    (sender, tokio::spawn(async { connection.await.unwrap_or(()) }))
}

fn request() -> http::Request<()> {
    websocket_request("http://localhost/").header("sec-websocket-version", "13").body(()).unwrap()
}

#[test]
fn streams_that_are_reset_at_once_leave_nothing_behind() {
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
