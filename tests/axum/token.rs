//! The example with a token in the subprotocol refuses before it answers the handshake.

use http::Request;
use tower_websocket::testing::TestClient;
use tower_websocket::{EmptyBody, Message};

#[allow(dead_code, reason = "its `main` is for those who run it")]
#[path = "../../examples/token.rs"]
mod example;

#[tokio::test(start_paused = true)]
async fn without_a_valid_token_there_is_no_connection() {
    for client in [TestClient::new(example::app().unwrap()), TestClient::new(example::app().unwrap()).http2()] {
        for offered in ["", "chat.v1", "chat.v1, bearer.wrong", "bearer.", "chat.v1, xbearer.YW5uYQ"] {
            let request = Request::get("/ws").header("sec-websocket-protocol", offered);
            let refused = client.open(request.body(EmptyBody::default()).unwrap()).await.unwrap_err();
            assert_eq!(refused.status(), 401, "{offered}");
            assert_eq!(refused.headers()["www-authenticate"], "Bearer");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn with_one_the_other_subprotocol_is_chosen() {
    for client in [TestClient::new(example::app().unwrap()), TestClient::new(example::app().unwrap()).http2()] {
        let request = Request::get("/ws").header("sec-websocket-protocol", "bearer.YmVydA, chat.v1");
        let ws = client.open(request.body(EmptyBody::default()).unwrap()).await.unwrap();
        assert_eq!(ws.subprotocol(), Some("chat.v1"));
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("hello, bert")));
        ws.close().await.unwrap();
    }
}
