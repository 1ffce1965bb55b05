//! Files from a page to a folder, with a limit and progress. The guide `streams` explains it.
//!
//! A WebSocket has no end of one direction, so a text says how many bytes follow, in binary messages of any length, and the
//! answer says that they are saved. The server chooses the names: those of clients lead anywhere.
//!
//! `cargo run --example upload` listens on `127.0.0.1:3000`, or on `ADDR`. It saves in a new folder, or in `FOLDER`, files of
//! up to 100 MiB, or `LARGEST` bytes.

use std::env;
use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tokio::fs::{self, File};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tower_websocket::{BoxError, CloseCode, CloseFrame, Manager, OriginPolicy, Reader, Upgrader, WebSocketLayer};

#[allow(dead_code, reason = "an example uses a part of it")]
#[path = "server/mod.rs"]
mod server;

/// `{"size": 12345}`
#[derive(Deserialize)]
struct Announced {
    size: u64,
}

/// `{"saved": "upload-1", "size": 12345}`
#[derive(Serialize)]
struct Saved {
    saved: String,
    size: u64,
}

struct Store {
    folder: PathBuf,
    largest: u64,
    number: AtomicUsize,
}

async fn upload(ws: Manager, store: Arc<Store>) -> Result<(), BoxError> {
    while let Some(Announced { size }) = ws.recv_json().await? {
        // Before anything of it is sent: a client that waits for no answer is told by the close code.
        if size > store.largest {
            return Err(refusal(format!("at most {} bytes", store.largest)));
        }
        let saved = format!("upload-{}", store.number.fetch_add(1, Ordering::Relaxed) + 1);
        let unfinished = store.folder.join(format!("{saved}.part"));
        if let Err(error) = save(ws.reader(), size, &unfinished).await {
            // Nothing is left of a client that goes away in the middle.
            let _ = fs::remove_file(&unfinished).await;
            return Err(error);
        }
        fs::rename(&unfinished, store.folder.join(&saved)).await?;
        ws.send_json(&Saved { saved, size }).await?;
    }
    Ok(())
}

/// A client that sends faster than the file is written is slowed down, as nothing more is read meanwhile.
async fn save(mut reader: Reader, size: u64, path: &Path) -> Result<(), BoxError> {
    let mut file = File::create_new(path).await?;
    let mut left = size;
    while left > 0 {
        let part = timeout(SILENCE, reader.fill_buf()).await??;
        if part.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        left = left.checked_sub(part.len() as u64).ok_or_else(|| refusal("more than was announced".to_owned()))?;
        file.write_all(part).await?;
        let len = part.len();
        reader.consume(len);
    }
    Ok(file.sync_all().await?)
}

fn refusal(reason: String) -> BoxError {
    CloseFrame::new(CloseCode::MESSAGE_TOO_BIG, reason).into()
}

/// How long a client may send nothing of a file that it has announced.
const SILENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let folder = env::var_os("FOLDER").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| env::temp_dir().join(format!("uploads-{}", std::process::id())));
    fs::create_dir_all(&folder).await?;
    let largest = env::var("LARGEST").map_or(Ok(100 * 1024 * 1024), |bytes| bytes.parse())?;
    let store = Arc::new(Store { folder, largest, number: AtomicUsize::new(0) });
    // A page of another name that resolves to this machine (DNS rebinding) has no business here.
    let origin = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    let upload = {
        let store = store.clone();
        WebSocketLayer::new(move |ws| upload(ws, store.clone())).upgrader(Upgrader::new().origin(origin))
    };
    let app = Router::new().route("/", get(|| async { Html(PAGE) })).route_service("/ws", upload.into_service());
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    println!("saving in {}", store.folder.display());
    server::serve(listener, server::http(), app).await;
    Ok(())
}

const PAGE: &str = r#"<!doctype html>
<title>Upload</title>
<input type="file"> <progress value="0"></progress>
<pre id="log"></pre>
<script>
    const [input, progress] = document.querySelectorAll('input, progress');
    const log = (text) => document.getElementById('log').append(text, '\n');

    input.onchange = () => {
        const file = input.files[0];
        const ws = new WebSocket(`${location.protocol.replace('http', 'ws')}//${location.host}/ws`);
        ws.onopen = async () => {
            ws.send(JSON.stringify({ size: file.size }));
            for (let start = 0; start < file.size && ws.readyState === WebSocket.OPEN; start += 65536) {
                ws.send(file.slice(start, start + 65536));
                while (ws.bufferedAmount > 1 << 20) await new Promise((resolve) => setTimeout(resolve, 10));
                progress.value = start / file.size;
            }
        };
        ws.onmessage = ({ data }) => {
            progress.value = 1;
            log(data);
            ws.close(1000);
        };
        ws.onclose = ({ code, reason }) => log(`closed: ${code} ${reason}`);
    };
</script>
"#;
