//! A file that grows, line by line, to every page that is open. The guide `streams` explains it.
//!
//! `cargo run --example tail -- FILE` listens on `127.0.0.1:3000`, or on `ADDR`. A new page gets the last ten lines first.
//! The file is followed by the program `tail`, also when it is rotated.

use std::env;
use std::error::Error as StdError;
use std::ffi::OsString;
use std::process::Stdio;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::process::Command;
use tower_websocket::{BoxError, CloseCode, CloseFrame, Manager, OriginPolicy, Upgrader, WebSocketLayer};

#[allow(dead_code, reason = "an example uses a part of it")]
#[path = "server/mod.rs"]
mod server;

async fn tail(ws: Manager, file: OsString) -> Result<CloseFrame, BoxError> {
    // It ends with the handler, which ends with the connection.
    let mut command = Command::new("tail");
    command.args(["-n", "10", "-F", "--"]).arg(file).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let Some(lines) = child.stdout.take() else { return Err("the program has no output".into()) };
    tokio::select! {
        // While the client is slow the program is not read, and waits: no line is dropped or piles up.
        copied = ws.copy_text_lines(lines) => {
            copied?;
            Ok(CloseFrame::new(CloseCode::GOING_AWAY, "there will be no more lines"))
        }
        // A file that is silent does not hide that the page has left. What the page sends is dropped.
        end = ws.ignore_incoming() => Ok(end?),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let file = env::args_os().nth(1).ok_or("which file? `cargo run --example tail -- FILE`")?;
    // A page of another name that resolves to this machine (DNS rebinding) has no business here.
    let origin = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    let upgrader = Upgrader::new().origin(origin).on_end(|_, end, stats| {
        let lines = stats.messages_sent;
        match end {
            Ok(frame) => println!("a page has left after {lines} lines: {frame}"),
            Err(error) => println!("a page was lost after {lines} lines: {error}"),
        }
    });
    let tail = WebSocketLayer::new(move |ws| tail(ws, file.clone())).upgrader(upgrader);
    let app = Router::new().route("/", get(|| async { Html(PAGE) })).route_service("/ws", tail.into_service());
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    server::serve(listener, server::http(), app).await;
    Ok(())
}

const PAGE: &str = r#"<!doctype html>
<title>Tail</title>
<pre></pre>
<script>
    const lines = document.querySelector('pre');
    const ws = new WebSocket(`${location.protocol.replace('http', 'ws')}//${location.host}/ws`);
    ws.onmessage = ({ data }) => {
        lines.append(data, '\n');
        while (lines.childNodes.length > 2000) lines.firstChild.remove();
        scrollTo(0, document.body.scrollHeight);
    };
    ws.onclose = ({ code, reason }) => lines.append(`closed: ${code} ${reason}\n`);
</script>
"#;
