//! axum's own examples, ported, do what the originals do.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::connect_info::ConnectInfo;
use http::Request;
use http_body_util::Empty;
use tokio::time::Instant;
use tower_websocket::testing::TestClient;
use tower_websocket::{CloseCode, Manager};

#[allow(dead_code, reason = "its `main` is for those who run it")]
#[path = "../../examples/axum_chat.rs"]
mod axum_chat;
#[allow(dead_code, reason = "its `main` is for those who run it")]
#[path = "../../examples/axum_websockets.rs"]
mod axum_websockets;

async fn next(ws: &Manager) -> String {
    ws.recv().await.unwrap().unwrap().as_text().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn chat() {
    let client = TestClient::new(axum_chat::app());
    let anna = client.connect("/websocket").await.unwrap();
    anna.send("anna").await.unwrap();
    assert_eq!(next(&anna).await, "anna joined.");

    let impostor = client.connect("/websocket").await.unwrap();
    impostor.send("anna").await.unwrap();
    assert_eq!(next(&impostor).await, "Username already taken.");
    assert_eq!(impostor.recv().await.unwrap(), None);

    let bert = client.connect("/websocket").await.unwrap();
    bert.send("bert").await.unwrap();
    bert.send("hello").await.unwrap();
    for expected in ["bert joined.", "bert: hello"] {
        assert_eq!(next(&anna).await, expected);
        assert_eq!(next(&bert).await, expected);
    }
    bert.close().await.unwrap();
    assert_eq!(next(&anna).await, "bert left.");
    drop(anna);

    let page = client.call(Request::get("/").body(Empty::<bytes::Bytes>::new()).unwrap()).await;
    assert_eq!(page.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn websockets() {
    let client = TestClient::new(axum_websockets::app());
    let address = ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 4711)));
    let request = Request::get("/ws").extension(address).body(Empty::<bytes::Bytes>::new()).unwrap();
    let start = Instant::now();
    let ws = client.open(request).await.unwrap();
    ws.send("Message number 1...").await.unwrap();
    for number in 1..5 {
        assert_eq!(next(&ws).await, format!("Hi {number} times!"));
    }
    for number in 0..20 {
        assert_eq!(next(&ws).await, format!("Server message {number} ..."));
    }
    let end = ws.done().await.unwrap();
    assert_eq!((end.code(), end.reason()), (CloseCode::NORMAL, "Goodbye"));
    // "About 6.45 seconds", as the original's client says.
    assert!((Duration::from_secs(6)..Duration::from_secs(7)).contains(&start.elapsed()), "{:?}", start.elapsed());
}
