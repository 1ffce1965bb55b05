//! Chat rooms with presence and history: a page that comes back gets what it has missed. The guide `rooms` explains it.
//!
//! `cargo run --example rooms` listens on `127.0.0.1:3000`, or on `ADDR`.

use std::collections::HashMap;
use std::env;
use std::error::Error as StdError;
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::response::Html;
use axum::routing::get;
use serde::Serialize;
use tokio::net::TcpListener;
use tower_websocket::{
    CloseCode, CloseFrame, Error, History, Hub, Manager, Message, OriginPolicy, Overflow, Position, PresenceChange,
    Topic, Upgrader, WebSocketLayer,
};

#[allow(dead_code, reason = "an example uses a part of it")]
#[path = "server/mod.rs"]
mod server;

/// What is published in a room. With the position it is `{"position": "..", "event": {"type": "said", ..}}`.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Event<'a> {
    Joined { name: &'a str },
    Left { name: &'a str },
    Said { name: &'a str, text: &'a str },
}

/// What one client is told.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Notice {
    Members { names: Vec<String> },
}

fn room(hub: &Hub, name: &str) -> Topic {
    hub.topic(name)
        .history(History::last(50).within(Duration::from_secs(300)))
        .encode(|event, position| {
            Message::text(format!(r#"{{"position":"{position}","event":{}}}"#, event.as_text().unwrap_or("null")))
        })
        // Older messages than the history reaches back are lost to a client.
        .tell_gap(|_| r#"{"type":"gap"}"#.into())
        .on_presence(|change| {
            let (PresenceChange::Joined(member) | PresenceChange::Left(member)) = change else { return None };
            let name = member.value().as_text()?;
            let event = match change {
                PresenceChange::Joined(_) => Event::Joined { name },
                _ => Event::Left { name },
            };
            Message::json(&event).ok()
        })
}

async fn chat(ws: Manager, hub: Hub) -> Result<(), Error> {
    let request = ws.request();
    let query = Query::<HashMap<String, String>>::try_from_uri(&request.uri).map(|Query(query)| query);
    let query = query.unwrap_or_default();
    let (Some(room_name), Some(name)) = (query.get("room"), query.get("name")) else {
        return Err(CloseFrame::new(CloseCode::POLICY_VIOLATION, "name a room and yourself").into());
    };
    let last_seen: Option<Position> = query.get("after").and_then(|position| position.parse().ok());
    let room = room(&hub, room_name);
    let names = room.presence().iter().filter_map(|member| member.value().as_text().map(str::to_owned)).collect();
    ws.send_json(&Notice::Members { names }).await?;
    // A client that is too slow is closed with 1013; it comes back, and catches up.
    let (seat, _) = room.resume(&ws, last_seen, Overflow::Close)?;
    seat.set_presence(name.as_str());
    while let Some(message) = ws.recv().await? {
        if let Some(text) = message.as_text() {
            room.publish_json(&Event::Said { name, text })?;
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let hub = Hub::new();
    // A page of another name that resolves to this machine (DNS rebinding) has no business here.
    let origin = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    let chat = WebSocketLayer::new(move |ws| chat(ws, hub.clone())).upgrader(Upgrader::new().origin(origin));
    let app = Router::new().route("/", get(|| async { Html(PAGE) })).route_service("/ws", chat.into_service());
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    server::serve(listener, server::http(), app).await;
    Ok(())
}

const PAGE: &str = r#"<!doctype html>
<title>Rooms</title>
<form><input name="text" autocomplete="off" placeholder="say something" autofocus></form>
<pre id="log"></pre>
<script>
    const query = new URLSearchParams(location.search);
    const room = query.get('room') ?? 'lobby';
    const me = query.get('name') ?? `guest ${Math.floor(Math.random() * 1000)}`;
    const log = (text) => document.getElementById('log').append(text, '\n');
    const final = new Set([1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003]);
    let ws, after, failures = 0;

    function connect() {
        const url = new URL(`${location.protocol.replace('http', 'ws')}//${location.host}/ws`);
        url.search = new URLSearchParams({ room, name: me, ...(after && { after }) });
        ws = new WebSocket(url);
        let healthy;
        ws.onopen = () => { healthy = setTimeout(() => { failures = 0; }, 3e4); };
        ws.onmessage = ({ data }) => {
            const { position, event, ...notice } = JSON.parse(data);
            after = position ?? after;
            const { type, name, text, names } = event ?? notice;
            if (type === 'said') log(`${name}: ${text}`);
            else if (type === 'members') log(`here: ${names.join(', ') || 'nobody'}`);
            else if (type === 'gap') log('some messages are lost');
            else log(`${name} has ${type}`);
        };
        ws.onclose = ({ code, reason }) => {
            clearTimeout(healthy);
            log(`closed: ${code} ${reason}`);
            if (final.has(code)) return;
            const [least, most] = code === 1012 || code === 1013 ? [5e3, 3e4] : [0, Math.min(6e4, 1e3 * 2 ** failures++)];
            setTimeout(connect, least + Math.random() * (most - least));
        };
    }

    document.forms[0].onsubmit = (event) => {
        event.preventDefault();
        ws.send(event.target.text.value);
        event.target.reset();
    };
    connect();
</script>
"#;
