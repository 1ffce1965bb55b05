//! JSON without timeouts, and what borrows from a message.

use serde::{Deserialize, Serialize};
use tower_websocket::{ErrorKind, Message, Upgrader, testing};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    method: &'a str,
    params: Vec<i64>,
}

#[tokio::test]
async fn values_are_sent_and_received_until_the_peer_closes() {
    let (client, server) = testing::pair(Upgrader::new());
    client.send_json(&Call { method: "sum", params: vec![1, 2] }).await.unwrap();
    client.send_json("text").await.unwrap();
    client.send(b"[3, 4]").await.unwrap();
    let message = server.recv().await.unwrap().unwrap();
    assert!(message.as_text().is_some());
    assert_eq!(message.parse::<Call<'_>>().unwrap(), Call { method: "sum", params: vec![1, 2] });
    assert_eq!(server.recv_json::<String>().await.unwrap().as_deref(), Some("text"));
    assert_eq!(server.recv_json::<Vec<i64>>().await.unwrap(), Some(vec![3, 4]));

    let closing = tokio::spawn(async move { client.close().await });
    assert_eq!(server.recv_json::<String>().await.unwrap(), None);
    assert_eq!(server.send_json(&1).await.unwrap_err().kind(), ErrorKind::Closed);
    closing.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_value_of_another_type_leaves_the_connection_usable() {
    let (client, server) = testing::pair(Upgrader::new());
    client.send("{}").await.unwrap();
    client.send("no JSON").await.unwrap();
    client.send("7").await.unwrap();
    for _ in 0..2 {
        assert_eq!(server.recv_json::<i64>().await.unwrap_err().kind(), ErrorKind::Decode);
    }
    assert_eq!(server.recv_json::<i64>().await.unwrap(), Some(7));
}

#[tokio::test]
async fn a_value_that_cannot_be_serialised_leaves_the_connection_usable() {
    let (client, server) = testing::pair(Upgrader::new());
    let keys_that_are_lists = std::collections::HashMap::from([(vec![1], 1)]);
    assert_eq!(client.send_json(&keys_that_are_lists).await.unwrap_err().kind(), ErrorKind::Encode);
    client.send_json(&1).await.unwrap();
    assert_eq!(server.recv_json::<i64>().await.unwrap(), Some(1));
}

#[test]
fn what_is_parsed_lies_within_the_message() {
    let message = Message::json(&Call { method: "a method with a long name, which is not copied", params: vec![] });
    let message = message.unwrap();
    let call: Call<'_> = message.parse().unwrap();
    assert!(message.as_bytes().as_ptr_range().contains(&call.method.as_ptr()));
}
