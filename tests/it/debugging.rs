//! What `tracing` gets to see.

use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, Mutex, Once};

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tower::ServiceExt;
use tower_websocket::{Manager, WebSocketLayer};

use crate::support::{KEY, Peer, close, secs, serve, tap};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut self.0.lock().unwrap())).unwrap()
    }

    /// Takes what this thread's connections say. One subscriber serves all tests: those that come and go in other
    /// threads would race for tracing's cache of who is interested.
    fn subscribe(&self) {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            tracing_subscriber::fmt()
                .with_env_filter("tower_websocket=debug")
                .with_ansi(false)
                .with_writer(|| LINES.with_borrow(Clone::clone))
                .init();
        });
        LINES.set(self.clone());
    }
}

thread_local! {
    static LINES: RefCell<Lines> = RefCell::default();
}

#[tokio::test(start_paused = true)]
async fn a_server_without_upgrades_is_reported_with_the_remedy() {
    let lines = Lines::default();
    lines.subscribe();
    let service =
        WebSocketLayer::new(|_: Manager| async { assert_eq!(0, 1, "the handler must not run") }).into_service();
    // No promise of an upgrade at all.
    let request = Request::get("/ws").header("host", "localhost").header("connection", "upgrade");
    let request = request.header("upgrade", "websocket").header("sec-websocket-version", "13");
    let request = request.header("sec-websocket-key", KEY).body(Empty::<Bytes>::new()).unwrap();
    let response = service.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 500);
    let said = lines.take();
    assert!(said.contains("ERROR") && said.contains("performs no upgrades"), "{said}");
    // hyper's promise, which a server that was not asked for upgrades does not keep.
    let (mut peer, transport, _) = tap(1024);
    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(transport), TowerToHyperService::new(service)));
    peer.ask(&Peer::request("")).await;
    tokio::time::sleep(secs(1)).await;
    let said = lines.take();
    assert!(said.contains("ERROR") && said.contains("with_upgrades()"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_has_a_span_with_its_path_and_subprotocol() {
    let lines = Lines::default();
    lines.subscribe();
    let upgrader = tower_websocket::Upgrader::new().subprotocols(["chat"]);
    let layer = WebSocketLayer::new(|ws: Manager| async move { ws.recv().await.map(drop) }).upgrader(upgrader);
    let mut peer = serve(layer.into_service());
    peer.handshake("Sec-WebSocket-Protocol: chat\r\n").await;
    peer.send(close(1000, "bye")).await;
    peer.expect_close(1000).await;
    drop(peer);
    tokio::time::sleep(secs(1)).await;
    let said = lines.take();
    assert!(said.contains("websocket{path=\"/ws\" subprotocol=\"chat\"}"), "{said}");
    assert!(said.contains("peer closes") && said.contains("code 1000, bye"), "{said}");
}
