//! A protocol of JSON messages: requests with ids, results, and errors, with a page that calls it. The guide `json` explains it.
//!
//! `cargo run --example rpc` listens on `127.0.0.1:3000`, or on `ADDR`.

use std::env;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower_websocket::{Error, ErrorKind, Manager, OriginPolicy, Upgrader, WebSocketLayer};

#[allow(dead_code, reason = "an example uses a part of it")]
#[path = "server/mod.rs"]
mod server;

/// `{"id": 1, "method": "divide", "params": {"dividend": 6, "divisor": 3}}`
#[derive(Deserialize)]
struct Request {
    id: u64,
    #[serde(flatten)]
    call: Call,
}

#[derive(Deserialize)]
#[serde(tag = "method", content = "params", rename_all = "camelCase")]
enum Call {
    Divide { dividend: i64, divisor: i64 },
    Echo(String),
    Sleep { millis: u64 },
}

/// `{"type": "result", "id": 1, "value": 2}`, or an error: of a request, or without an id where none could be read.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Answer {
    Error { id: Option<u64>, message: String },
    Result { id: u64, value: Value },
}

async fn call(call: Call) -> Result<Value, &'static str> {
    match call {
        Call::Divide { dividend, divisor } => {
            dividend.checked_div(divisor).map(Value::from).ok_or("this cannot be divided")
        }
        Call::Echo(text) => Ok(text.into()),
        Call::Sleep { millis } => {
            tokio::time::sleep(Duration::from_millis(millis.min(10_000))).await;
            Ok(millis.into())
        }
    }
}

async fn answer(Request { id, call: request }: Request) -> Answer {
    match call(request).await {
        Ok(value) => Answer::Result { id, value },
        Err(message) => Answer::Error { id: Some(id), message: message.into() },
    }
}

/// Answers up to 16 requests at a time. A client that sends more is slowed down by TCP.
async fn rpc(ws: Manager) -> Result<(), Error> {
    let permits = Arc::new(Semaphore::new(16));
    let mut requests = JoinSet::new(); // aborts what still runs when the handler returns
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { return Ok(()) };
        let request = match ws.recv_json::<Request>().await {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Decode => {
                ws.send_json(&Answer::Error { id: None, message: "this is no request".into() }).await?;
                continue;
            }
            Err(error) => return Err(error),
        };
        while requests.try_join_next().is_some() {}
        let ws = ws.clone();
        requests.spawn(async move {
            // An error says that the connection is closed, which the loop sees too.
            let _ = ws.send_json(&answer(request).await).await;
            drop(permit);
        });
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    // A page of another name that resolves to this machine (DNS rebinding) has no business here.
    let origin = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    let rpc = WebSocketLayer::new(rpc).upgrader(Upgrader::new().origin(origin));
    let app = Router::new().route("/", get(|| async { Html(PAGE) })).route_service("/ws", rpc.into_service());
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    server::serve(listener, server::http(), app).await;
    Ok(())
}

const PAGE: &str = r#"<!doctype html>
<title>RPC</title>
<p>In the console: <code>await call('divide', { dividend: 6, divisor: 3 })</code></p>
<pre id="log"></pre>
<script>
    const ws = new WebSocket(`${location.protocol.replace('http', 'ws')}//${location.host}/ws`);
    const waiting = new Map();
    let last = 0;

    function call(method, params) {
        return new Promise((resolve, reject) => {
            waiting.set(++last, { resolve, reject });
            ws.send(JSON.stringify({ id: last, method, params }));
        });
    }

    ws.onmessage = ({ data }) => {
        log.append(data, '\n');
        const { type, id, value, message } = JSON.parse(data);
        const { resolve, reject } = waiting.get(id) ?? {};
        waiting.delete(id);
        if (type === 'result') resolve?.(value);
        else reject ? reject(new Error(message)) : console.error(message);
    };
    ws.onclose = () => {
        for (const { reject } of waiting.values()) reject(new Error('the connection is closed'));
        waiting.clear();
    };
    ws.onopen = () => {
        call('sleep', { millis: 500 }); // does not keep the others waiting
        call('divide', { dividend: 6, divisor: 3 });
        call('divide', { dividend: 6, divisor: 0 }).catch(() => {});
    };
    const log = document.getElementById('log');
</script>
"#;
