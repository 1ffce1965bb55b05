//! The dashboard without a browser; `tests/browser` looks at it with one.

use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Http2, get, handshake_from, open};
use crate::process::{Example, PATIENCE, command};

#[tokio::test]
async fn serves_its_page_under_a_strict_policy() {
    let example = Example::start("dashboard").await;
    for (path, content_type) in [("/", "text/html"), ("/style.css", "text/css"), ("/app.js", "text/javascript")] {
        let (status, headers, body) = get(example.address(), path).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[CONTENT_TYPE], format!("{content_type}; charset=utf-8"));
        assert!(headers[CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none';"));
        assert!(body.len() > 1000);
    }
    assert_eq!(get(example.address(), "/ws/echo").await.0, StatusCode::UPGRADE_REQUIRED);
    assert_eq!(get(example.address(), "/elsewhere").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn sends_the_load_and_what_was_saved() {
    let example = Example::start("dashboard").await;
    let mut status = open(example.address(), "/ws/status").await;
    let first = status.receive_json().await;
    let cores = first["cpu"].as_array().unwrap();
    assert!(!cores.is_empty());
    assert!(cores.iter().all(|load| (0.0..=100.0).contains(&load.as_f64().unwrap())), "{first}");
    let memory = |name: &str| first["memory"][name].as_u64().unwrap();
    assert!(0 < memory("used") && memory("used") <= memory("total"), "{first}");
    assert_eq!(first["dedup"], json!({ "produced": 1, "sent": 1, "bytes_saved": 0 }));

    // Who is connected changes seldom, so its updates are saved.
    let _peers = open(example.address(), "/ws/peers").await;
    let is_saved = |status: &Value| status["dedup"]["sent"].as_u64() < status["dedup"]["produced"].as_u64();
    let status = status.receive_json_when(is_saved).await;
    assert!(status["dedup"]["bytes_saved"].as_u64() > Some(0), "{status}");
}

#[tokio::test]
async fn lists_who_is_connected() {
    let example = Example::start("dashboard").await;
    let mut one = open(example.address(), "/ws/peers").await;
    let alone = one.receive_json().await;
    assert_eq!(alone["peers"].as_array().unwrap().len(), 1);
    let peer = &alone["peers"][0];
    assert_eq!(peer["id"], alone["you"]);
    assert!(peer["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{peer}");
    assert!(peer["since"].as_u64().unwrap() > 1_700_000_000_000, "{peer}");
    for (name, value) in [
        ("user_agent", json!("test")),
        ("round_trip", Value::Null),
        ("http", json!("1.1")),
        ("compressed", json!(false)),
    ] {
        assert_eq!(peer[name], value);
    }

    let mut connection = Http2::connect(example.address()).await;
    let mut two = connection.open("/ws/peers").await;
    let both = two.receive_json().await;
    assert_eq!(both["you"], both["peers"][1]["id"]);
    assert_eq!(both["peers"][1]["http"], "2");
    drop(two);

    // The second one is gone after a while, and the first one's ping was answered.
    one.receive_json_when(|update| {
        let peers = update["peers"].as_array().expect("a list");
        peers.len() == 1 && peers[0]["round_trip"].as_f64().is_some_and(|time| time > 0.0)
    })
    .await;
}

#[tokio::test]
async fn echoes_over_both_protocols() {
    let example = Example::start("dashboard").await;
    open(example.address(), "/ws/echo").await.echoes().await;
    Http2::connect(example.address()).await.open("/ws/echo").await.echoes().await;
}

#[tokio::test]
async fn closes_as_the_visitor_wishes() {
    let example = Example::start("dashboard").await;
    let mut status = open(example.address(), "/ws/status").await;
    for wish in
        ["no wish", r#"{"close":{"code":5,"reason":"no code"}}"#, r#"{"close":{"code":1012,"reason":"why not"}}"#]
    {
        status.send(Message::text(wish)).await;
    }
    assert_eq!(status.closed().await, Some((1012, "why not".to_owned())));
}

#[cfg(feature = "metrics")]
#[tokio::test]
async fn the_queries_for_grafana_name_metrics_and_labels_that_there_are() {
    let example = Example::start("dashboard").await;
    // Each metric has a value once: a ping is answered, a connection ends either way, a handshake is refused, and a message
    // is large enough to be charged to the budget.
    let mut peers = open(example.address(), "/ws/peers").await;
    peers.receive_json_when(|update| update["peers"][0]["round_trip"].is_number()).await;
    let mut status = open(example.address(), "/ws/status").await;
    status.send(Message::text(r#"{"close":{"code":1012,"reason":"why not"}}"#)).await;
    status.closed().await;
    drop(open(example.address(), "/ws/peers").await);
    let mut echo = open(example.address(), "/ws/echo").await;
    echo.send(Message::text("x".repeat(200_000))).await;
    echo.receive().await;
    handshake_from("null", example.address(), "/ws/echo").await;
    let metrics = loop {
        let (status, headers, body) = get(example.address(), "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(headers[CONTENT_TYPE].to_str().unwrap().starts_with("text/plain"));
        // What was sent is counted a little later.
        let counts = |parts: [&str; 2]| body.lines().any(|line| parts.iter().all(|part| line.contains(part)));
        if counts(["closed_connections", "disconnected"]) && counts(["messages", "receive"]) {
            break body;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };

    const LIST: &str = include_str!("../../src/metrics/mod.rs");
    let grafana: Value = serde_json::from_str(include_str!("../../examples/dashboard/grafana.json")).unwrap();
    let panels = grafana["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let queries: Vec<_> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    assert!(queries.len() >= panels.len() && panels.len() >= 10);
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_owned).collect()
    };
    for query in &queries {
        let named: Vec<_> = words(query).into_iter().filter(|word| word.contains('_')).collect();
        assert!(named.iter().any(|word| word.starts_with("websocket_")), "{query}");
        for word in named.iter().filter(|word| !["__rate_interval", "histogram_quantile"].contains(&word.as_str())) {
            let (metric, label) = (format!("\n{word}"), format!("{word}=\""));
            // The dashboard has no topics: their metrics are in the list alone.
            let is_listed = word.starts_with("websocket_hub_") && LIST.contains(&format!("`{word}`"));
            assert!(is_listed || metrics.contains(&metric) || metrics.contains(&label), "{word} of {query}: {metrics}");
        }
    }
    // And each of ours is on it.
    for line in metrics.lines().filter_map(|line| line.strip_prefix("# TYPE websocket_")) {
        let name = format!("websocket_{}", line.split(' ').next().unwrap());
        assert!(queries.iter().any(|query| query.contains(&name)), "{name} is on no panel");
    }
}

#[tokio::test]
async fn refuses_a_page_from_elsewhere() {
    let example = Example::start("dashboard").await;
    for origin in ["http://evil.example", "null"] {
        let response = handshake_from(origin, example.address(), "/ws/echo").await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{origin}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn closes_its_connections_when_it_is_stopped() {
    let example = Example::start("dashboard").await;
    let status = open(example.address(), "/ws/status").await;
    let peers = open(example.address(), "/ws/peers").await;
    let mut connection = Http2::connect(example.address()).await;
    let echo = connection.open("/ws/echo").await;

    example.terminate().await;
    let goodbye = Some((1001, "restarting".to_owned()));
    for socket in [status, peers, echo] {
        assert_eq!(socket.closed().await, goodbye);
    }
    assert!(example.ended().await.success());
}

/// axum waits for a stream of HTTP/2 whose peer reads nothing for as long as the peer likes.
#[cfg(unix)]
#[tokio::test]
async fn stops_though_a_peer_reads_nothing() {
    let example = Example::start("dashboard").await;
    let mut connections = [Http2::connect(example.address()).await, Http2::connect(example.address()).await];
    let [one, two] = &mut connections;
    let (mut unread, silent) = (one.open("/ws/echo").await, two.open("/ws/status").await);
    unread.fill().await;
    example.terminate().await;
    assert!(example.ended().await.success());
    drop((unread, silent));
}

#[tokio::test]
async fn a_busy_port_is_explained() {
    let example = Example::start("dashboard").await;
    let second = timeout(PATIENCE, command("dashboard", example.address()).output()).await.unwrap().unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.starts_with(&format!("cannot listen on {}: ", example.address())), "{said}");
    assert!(said.contains("ADDR="), "{said}");
}
