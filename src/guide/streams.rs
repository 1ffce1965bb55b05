//! Streams of bytes, uploads, tails of files, changing values, and proxies.
//!
//! # Lines: the tail of a log
//!
//! [`copy_text_lines`](crate::Manager::copy_text_lines) sends each line of an `AsyncRead` as a message.
//! [`ignore_incoming`](crate::Manager::ignore_incoming) notices at once when the client leaves.
//!
//! ```no_run
//! use std::process::Stdio;
//! use tokio::process::Command;
//! use tower_websocket::{BoxError, Manager};
//!
//! async fn tail(ws: Manager) -> Result<(), BoxError> {
//!     let mut child = Command::new("tail")
//!         .args(["-n", "10", "-F", "/var/log/app.log"])
//!         .stdout(Stdio::piped())
//!         .kill_on_drop(true)
//!         .spawn()?;
//!     let Some(output) = child.stdout.take() else { return Err("no output".into()) };
//!     tokio::select! {
//!         copied = ws.copy_text_lines(output) => drop(copied?),
//!         end = ws.ignore_incoming() => drop(end?),
//!     }
//!     Ok(())
//! }
//! # let _ = tower_websocket::WebSocketLayer::new(tail);
//! ```
//!
//! `examples/tail.rs` is a complete program. A slow client slows the copy down; nothing is dropped.
//! [`copy_json_stream`](crate::Manager::copy_json_stream) does the same for JSON values, which need not be on lines of
//! their own.
//!
//! # Bytes in both directions
//!
//! [`reader`](crate::Manager::reader) and [`writer`](crate::Manager::writer) implement tokio's `AsyncRead` and
//! `AsyncWrite`. The reader ignores the boundaries of messages, and ends when the connection is closed.
//!
//! ```no_run
//! use tokio::net::TcpStream;
//! use tower_websocket::{Manager, MessageKind};
//!
//! /// A tunnel to a TCP server.
//! async fn tunnel(ws: Manager) -> std::io::Result<()> {
//!     let (mut from, mut to) = TcpStream::connect("127.0.0.1:5900").await?.into_split();
//!     let (mut reader, mut writer) = (ws.reader(), ws.writer(MessageKind::Binary));
//!     tokio::select! {
//!         copied = tokio::io::copy(&mut reader, &mut to) => copied?,
//!         copied = tokio::io::copy(&mut from, &mut writer) => copied?,
//!     };
//!     Ok(())
//! }
//! # let _ = tower_websocket::WebSocketLayer::new(tunnel);
//! ```
//!
//! `tokio::io::copy_bidirectional` does not fit: it waits for the end of both directions, and a WebSocket cannot end only one
//! direction. When the TCP server ends its stream, the client would not notice.
//!
//! # Uploads
//!
//! A WebSocket cannot be closed in one direction only, so send the size first, or a message that marks the end. Here the
//! first message is the size, and the answer confirms that everything has arrived. A client that sends faster than the file
//! is written is slowed down.
//!
//! ```
//! use tokio::io::{AsyncWrite, AsyncWriteExt};
//! use tower_websocket::{CloseCode, CloseFrame, Error, Manager, Message, Upgrader, testing};
//!
//! const LARGEST: u64 = 100 * 1024 * 1024;
//!
//! async fn upload(ws: &Manager, mut file: impl AsyncWrite + Unpin) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//!     let Some(size) = ws.recv_json::<u64>().await? else { return Ok(()) };
//!     if size > LARGEST {
//!         return Err(CloseFrame::new(CloseCode::MESSAGE_TOO_BIG, "100 MiB at most").into());
//!     }
//!     let mut left = size;
//!     while left > 0 {
//!         let Some(part) = ws.recv().await? else { return Err("the client has left".into()) };
//!         left = left.checked_sub(part.len() as u64).ok_or("more than was announced")?;
//!         file.write_all(part.as_bytes()).await?;
//!     }
//!     file.flush().await?;
//!     Ok(ws.send_json(&size).await?)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let (client, server) = testing::pair(Upgrader::new());
//! let uploaded = tokio::spawn(async move {
//!     let mut file = Vec::new();
//!     upload(&server, &mut file).await.map(|()| file)
//! });
//! client.send("12").await?;
//! client.send(&b"hello, "[..]).await?;
//! client.send(&b"world"[..]).await?;
//! assert_eq!(client.recv().await?, Some(Message::text("12")));
//! assert_eq!(uploaded.await.expect("it does not panic").expect("it arrives"), b"hello, world");
//! # Ok(())
//! # }
//! ```
//!
//! `examples/upload.rs` is a complete program: it saves files in a folder, removes the incomplete file of a client that
//! disconnects, and has a page that shows the progress. It reads the bytes with [`reader`](crate::Manager::reader).
//!
//! In the page: `ws.send(String(file.size))`, then `ws.send(file.slice(start, start + 65536))` for each part while
//! `ws.bufferedAmount` is small. A part may have up to [`Limits::max_message_size`](crate::Limits::max_message_size) (1 MiB).
//!
//! # Values that change
//!
//! [`WebSocketLayer::periodic`](crate::WebSocketLayer#method.periodic) is a complete endpoint: it sends the first value at
//! once, and later ones when they have changed. [`Manager::periodic_write`](crate::Manager::periodic_write) is the same
//! within a handler, and [`Topic::periodic`](crate::Topic::periodic) gets the value once for all clients.
//!
//! ```
//! use std::convert::Infallible;
//! use std::time::Duration;
//! use tower_websocket::testing::TestClient;
//! use tower_websocket::{Error, Message, WebSocketLayer};
//!
//! async fn load() -> Result<f64, Infallible> {
//!     Ok(0.5)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let layer = WebSocketLayer::periodic(Duration::from_secs(5), load);
//! let ws = TestClient::new(layer.into_service()).connect("/").await.expect("the handshake is accepted");
//! assert_eq!(ws.recv().await?, Some(Message::text("0.5")));
//! # Ok(())
//! # }
//! ```
//!
//! To end after the last value, return an error from the function that gets the values. All values before it are sent:
//!
//! ```
//! use std::time::Duration;
//! use tower_websocket::testing::TestClient;
//! use tower_websocket::{Error, ErrorKind, Manager, Message, WebSocketLayer};
//!
//! async fn countdown(ws: Manager) -> Result<(), Error> {
//!     let mut left = 2..=3;
//!     let next = || std::future::ready(left.next_back().ok_or("it is over"));
//!     tokio::select! {
//!         sent = ws.periodic_write(Duration::from_millis(10), next) => match sent {
//!             Err(error) if error.kind() == ErrorKind::Source => Ok(()), // closes with 1000
//!             sent => sent,
//!         },
//!         end = ws.ignore_incoming() => end.map(drop),
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Error> {
//! let client = TestClient::new(WebSocketLayer::new(countdown).into_service());
//! let ws = client.connect("/").await.expect("the handshake is accepted");
//! assert_eq!(ws.recv().await?, Some(Message::text("3")));
//! assert_eq!(ws.recv().await?, Some(Message::text("2")));
//! assert_eq!(ws.recv().await?, None);
//! # Ok(())
//! # }
//! ```
//!
//! # A proxy
//!
//! [`join`](crate::Manager::join) forwards all messages in both directions, no faster than either side accepts them, and
//! the close frame:
//!
//! ```
//! use tower_websocket::{CloseFrame, Error, Manager};
//!
//! async fn proxy(ws: Manager) -> Result<CloseFrame, Error> {
//!     let upstream = Manager::connect("ws://10.0.0.2:3000/ws").await?;
//!     ws.join(&upstream).await
//! }
//! # let _ = tower_websocket::WebSocketLayer::new(proxy);
//! ```
//!
//! This answers the handshake before it connects to the upstream. `examples/proxy.rs` is a complete program that connects
//! first, and forwards the subprotocol and a refusal. A handler that returns an error of its upstream connection closes
//! with 1011: the upstream's close code is forwarded only if the handler returns its frame.
