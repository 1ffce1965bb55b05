//! How many packets the end of a connection takes.

use std::io::{Read, Write};
use std::net::TcpStream;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tower_websocket::{Manager, WebSocketLayer};

use crate::shared::{close, http_server, quiet, request, serve_connection};
use crate::support::in_namespaces;

#[test]
fn our_close_frame_and_the_end_of_our_side_share_a_packet() {
    const CONNECTIONS: u64 = 50;

    let test = "last_packet::our_close_frame_and_the_end_of_our_side_share_a_packet";
    let Some(_) = in_namespaces(test, &["TCP"]) else { return };
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move {
        let layer = WebSocketLayer::new(|ws: Manager| async move { ws.recv().await.map(drop) });
        let service = layer.upgrader(quiet()).into_service();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(serve_connection(http_server(), stream, service.clone()));
        }
    });
    let mut segments = 0;
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(request("localhost", "/", "").as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let before = segments_sent();
        stream.write_all(&close(1000, "").masked()).unwrap();
        let mut end = Vec::new();
        stream.read_to_end(&mut end).unwrap();
        assert_eq!(end, close(1000, "").unmasked());
        segments += segments_sent() - before;
    }
    // The peer's close frame, and ours with the end. A packet of its own for the end is one more each time.
    assert!(segments < CONNECTIONS * 5 / 2, "{segments} segments for {CONNECTIONS} ends");
}

/// The segments that this network has sent, in both directions.
fn segments_sent() -> u64 {
    let counters = std::fs::read_to_string("/proc/self/net/snmp").unwrap();
    let mut lines = counters.lines().filter_map(|line| line.strip_prefix("Tcp: ")).map(|line| line.split(' '));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    names.zip(values).find(|(name, _)| *name == "OutSegs").unwrap().1.parse().unwrap()
}
