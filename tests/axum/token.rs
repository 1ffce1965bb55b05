//! The example with a token in the subprotocol refuses before it answers the handshake, and ends with the token.

use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use tokio::time::{Instant, sleep};
use tower_websocket::testing::TestClient;
use tower_websocket::{CloseCode, Manager, Message};

#[allow(dead_code, reason = "its `main` is for those who run it")]
#[path = "../../examples/token.rs"]
mod example;

/// Over both versions.
fn clients() -> [TestClient<Router>; 2] {
    let app = || TestClient::new(example::app().unwrap());
    [app(), app().http2()]
}

async fn token(client: &TestClient<Router>, user: &str, seconds: u64) -> String {
    let request = Request::post(format!("/token?user={user}&seconds={seconds}")).body(Empty::<Bytes>::new()).unwrap();
    let token = client.call(request).await.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(token.into()).unwrap()
}

/// Opens a WebSocket with this offer of subprotocols, or tells the status.
async fn open(client: &TestClient<Router>, offer: &str) -> Result<Manager, u16> {
    let request = Request::get("/ws").header("sec-websocket-protocol", offer).body(Empty::<Bytes>::new()).unwrap();
    client.open(request).await.map_err(|refused| {
        assert_eq!(refused.headers()["www-authenticate"], "Bearer");
        refused.status().as_u16()
    })
}

async fn says(ws: &Manager, said: &str) {
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text(said)));
}

/// Waits for the close frame of a session that ends so many seconds after this start.
async fn expires(ws: &Manager, start: Instant, seconds: u64) {
    let frame = ws.done().await.unwrap();
    assert_eq!((frame.code(), frame.reason()), (CloseCode::POLICY_VIOLATION, "token expired"));
    let lasted = start.elapsed();
    assert!(lasted.abs_diff(Duration::from_secs(seconds)) < Duration::from_millis(100), "{lasted:?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_valid_token_there_is_no_connection() {
    for client in clients() {
        let token = token(&client, "bert", 60).await;
        for offered in ["", "chat.v1", "chat.v1, bearer.wrong", "bearer.", &format!("chat.v1, xbearer.{token}")] {
            assert_eq!(open(&client, offered).await.unwrap_err(), 401, "{offered}");
        }
        sleep(Duration::from_secs(61)).await;
        assert_eq!(open(&client, &format!("chat.v1, bearer.{token}")).await.unwrap_err(), 401);
    }
}

#[tokio::test(start_paused = true)]
async fn with_one_the_other_subprotocol_is_chosen() {
    for client in clients() {
        let token = token(&client, "bert", 60).await;
        let ws = open(&client, &format!("bearer.{token}, chat.v1")).await.unwrap();
        assert_eq!(ws.subprotocol(), Some("chat.v1"));
        says(&ws, "hello, bert").await;
        ws.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_with_its_token() {
    for client in clients() {
        let start = Instant::now();
        let token = token(&client, "anna", 60).await;
        // What counts is the token and not when the session began.
        sleep(Duration::from_secs(20)).await;
        let ws = open(&client, &format!("chat.v1, bearer.{token}")).await.unwrap();
        says(&ws, "hello, anna").await;
        expires(&ws, start, 60).await;
    }
}

#[tokio::test(start_paused = true)]
async fn another_token_renews_the_session() {
    for client in clients() {
        let start = Instant::now();
        let first = token(&client, "anna", 60).await;
        let ws = open(&client, &format!("chat.v1, bearer.{first}")).await.unwrap();
        says(&ws, "hello, anna").await;
        sleep(Duration::from_secs(50)).await;
        ws.send(format!("renew {}", token(&client, "anna", 60).await)).await.unwrap();
        says(&ws, "renewed").await;
        sleep(Duration::from_secs(50)).await;
        ws.send("still here").await.unwrap();
        says(&ws, "still here").await;
        expires(&ws, start, 110).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_token_of_this_user_renews_nothing() {
    for client in clients() {
        let start = Instant::now();
        let first = token(&client, "anna", 60).await;
        let ws = open(&client, &format!("chat.v1, bearer.{first}")).await.unwrap();
        says(&ws, "hello, anna").await;
        for other in [token(&client, "bert", 600).await, "wrong".to_owned(), String::new()] {
            ws.send(format!("renew {other}")).await.unwrap();
            says(&ws, "not renewed").await;
        }
        expires(&ws, start, 60).await;
    }
}
