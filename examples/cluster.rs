//! One chat on two servers, with history and presence: a page that loses its server goes on with the other one, and misses
//! nothing. The guide `brokers` explains it.
//!
//! `cargo run --features redis --example cluster` starts a broker (`redis-server`, which must be installed) and both servers, on
//! `127.0.0.1:3000` and `127.0.0.1:3001`. With `BROKER=redis://..` it takes a broker that is there, and with `ADDR` it is one
//! server alone.

use std::collections::HashMap;
use std::env;
use std::error::Error as StdError;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::response::Html;
use axum::routing::get;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::time::timeout;
use tower_websocket::{
    CloseCode, Error, History, Hub, Manager, Message, OriginPolicy, Overflow, Position, Redis, Shutdown, Topic,
    Upgrader, WebSocketLayer,
};

#[allow(dead_code, reason = "an example uses a part of it")]
#[path = "server/mod.rs"]
mod server;

type BoxError = Box<dyn StdError + Send + Sync>;

/// What all clients of all servers get.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Event<'a> {
    Said {
        name: &'a str,
        text: &'a str,
    },
    /// Who is at one of the servers. A server that has not said so for a while is gone.
    Present {
        server: u64,
        names: Vec<String>,
    },
}

fn chat(hub: &Hub) -> Topic {
    hub.topic("chat")
        .history(History::last(100))
        .encode(|event, position| {
            Message::text(format!(r#"{{"position":"{position}","event":{}}}"#, event.as_text().unwrap_or("null")))
        })
        // Publications are lost: it comes in their place.
        .tell_gap(|_| r#"{"event":{"type":"gap"}}"#.into())
}

/// Each server keeps the latest list of each.
fn presence(hub: &Hub) -> Topic {
    hub.topic("presence").history(History::last(20).within(3 * HEARTBEAT))
}

async fn handler(ws: Manager, hub: Hub) -> Result<(), Error> {
    let query = Query::<HashMap<String, String>>::try_from_uri(&ws.request().uri).map(|Query(query)| query);
    let query = query.unwrap_or_default();
    let name = query.get("name").map_or("somebody", String::as_str);
    let last_seen: Option<Position> = query.get("after").and_then(|position| position.parse().ok());
    let (chat, presence) = (chat(&hub), presence(&hub));
    // What was missed, then what comes. A client that is too slow is closed with 1013; it comes back, and catches up.
    chat.join_after(&ws, last_seen, Overflow::Close)?;
    presence.join_after(&ws, None, Overflow::KeepLatest)?;
    let _seat = hub.topic("here").join_as(&ws, Overflow::KeepLatest, name)?;
    while let Some(message) = ws.recv().await? {
        if let Some(text) = message.as_text() {
            chat.publish_json(&Event::Said { name, text })?;
        }
    }
    Ok(())
}

/// Tells the others who is here, whenever that changes and from time to time.
async fn tell_presence(hub: Hub) {
    let server = rand::random::<u32>().into();
    let changed = Arc::new(Notify::new());
    let notify = changed.clone();
    // Its presence is of this server alone; nothing is published there.
    let here = hub.topic("here").on_presence(move |_| {
        notify.notify_one();
        None
    });
    let presence = presence(&hub);
    loop {
        let names = here.presence().iter().map(ToString::to_string).collect();
        if let Err(error) = Message::json(&Event::Present { server, names })
            .and_then(|list| presence.publish_keyed(server.to_string(), list))
        {
            eprintln!("the others are not told who is here: {error}");
        }
        let _ = timeout(HEARTBEAT, changed.notified()).await;
    }
}

async fn serve(address: &str, broker: &str) -> Result<(), BoxError> {
    let hub = Hub::with(Redis::connect(broker).await?);
    tokio::spawn(tell_presence(hub.clone()));
    let shutdown = Shutdown::new();
    // A page of another name that resolves to this machine (DNS rebinding) has no business here. A page of the other server has.
    let origin = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    let upgrader = Upgrader::new().origin(origin).shutdown(&shutdown);
    let chat = WebSocketLayer::new(move |ws| handler(ws, hub.clone())).upgrader(upgrader);
    let app = Router::new().route("/", get(|| async { Html(PAGE) })).route_service("/ws", chat.into_service());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    tokio::select! {
        () = server::serve(listener, server::http(), app) => {}
        end = terminated() => end?,
    }
    // Clients of 1012 come back after some seconds at random, to whatever server there is then.
    shutdown.close_all(CloseCode::SERVICE_RESTART, "restarting", Duration::from_secs(5)).await;
    Ok(())
}

#[cfg(unix)]
async fn terminated() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn terminated() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Starts the broker, unless there is one, and both servers.
async fn start_all() -> Result<(), BoxError> {
    let (broker, _process) = match env::var("BROKER") {
        Ok(broker) => (broker, None),
        Err(_) => {
            let port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
            let process = start_broker(port)?;
            let broker = format!("redis://127.0.0.1:{port}/");
            timeout(Duration::from_secs(10), async {
                while Redis::connect(&broker).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            })
            .await?;
            (broker, Some(process))
        }
    };
    let mut servers = Vec::new();
    for port in [3000, 3001] {
        let mut server = Command::new(env::current_exe()?);
        server.env("ADDR", format!("127.0.0.1:{port}")).env("BROKER", &broker).kill_on_drop(true);
        servers.push(server.spawn()?);
    }
    for server in &mut servers {
        server.wait().await?;
    }
    Ok(())
}

fn start_broker(port: u16) -> Result<Child, BoxError> {
    let mut broker = Command::new("redis-server");
    // Nothing is kept on the disk.
    broker.args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()]);
    broker.stdout(Stdio::null()).kill_on_drop(true);
    broker.spawn().map_err(|error| format!("redis-server does not start ({error}): install it, or set BROKER").into())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    match env::var("ADDR") {
        Ok(address) => serve(&address, env::var("BROKER").as_deref().unwrap_or("redis://127.0.0.1/")).await,
        Err(_) => start_all().await,
    }
}

/// How often each server says who is there.
const HEARTBEAT: Duration = Duration::from_secs(10);

const PAGE: &str = r#"<!doctype html>
<title>Cluster</title>
<p id="here"></p>
<form><input name="text" autocomplete="off" placeholder="say something" autofocus></form>
<pre id="log"></pre>
<script>
    const query = new URLSearchParams(location.search);
    const me = query.get('name') ?? `guest ${Math.floor(Math.random() * 1000)}`;
    const log = (text) => document.getElementById('log').append(text, '\n');
    const other = query.get('other') ?? (location.port === '3001' ? '3000' : '3001');
    const servers = [location.host, `${location.hostname}:${other}`];
    const lists = new Map();
    let ws, after, failures = 0;

    function show() {
        const now = Date.now();
        const known = [...lists.values()].filter(({ at }) => now - at < 30e3);
        document.getElementById('here').textContent = `here: ${known.flatMap(({ names }) => names).sort().join(', ')}`;
    }

    function receive({ position, event, ...list }) {
        after = position ?? after;
        const { type, name, text, server, names } = event ?? list;
        if (type === 'said') log(`${name}: ${text}`);
        else if (type === 'gap') log('some messages are lost');
        else if (type === 'present') lists.set(server, { names, at: Date.now() }), show();
    }

    function connect() {
        const url = new URL(`ws://${servers[0]}/ws`);
        url.search = new URLSearchParams({ name: me, ...(after && { after }) });
        ws = new WebSocket(url);
        ws.onopen = () => { failures = 0; log(`connected to ${servers[0]}`); };
        ws.onmessage = ({ data }) => receive(JSON.parse(data));
        ws.onclose = ({ code, reason }) => {
            log(`closed: ${code} ${reason}`);
            servers.reverse();
            setTimeout(connect, Math.random() * Math.min(3e4, 500 * 2 ** failures++));
        };
    }

    document.forms[0].onsubmit = (event) => {
        event.preventDefault();
        ws.send(event.target.text.value);
        event.target.reset();
    };
    setInterval(show, 5e3);
    connect();
</script>
"#;
