//! The server that is measured, and its clients.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use allocation_counter::measure;
use bytes::Bytes;
use tokio::time::sleep;
use tower_websocket::{Connector, Keepalive, Manager, Message, WebSocketConfig, WebSocketLayer};

use super::clients::{CONNECTED, Clients, Countdown, RECEIVED, connect_each};
use super::http2::Streams;
use super::process::{idle_share, rss, runtime};
use super::{INTERVAL, Protocol, Result, server};

/// The server's process: holds the connections, and measures. `bare` is the share of a core that bare TCP took.
pub(crate) fn serve(protocol: Protocol, connections: &str, bare: Option<&str>) -> Result<()> {
    let connections: usize = connections.parse()?;
    let bare = bare.map(str::parse::<f64>).transpose()?;
    let runtime = runtime()?;
    let mut server = runtime.block_on(Server::start(protocol, connections))?;
    let before = rss()?;
    let mut opened = Ok(());
    let heap = measure(|| opened = runtime.block_on(server.opened())).bytes_current;
    opened?;
    let rss = rss()? - before;
    let each = |bytes: i64| bytes / connections as i64;

    let busy = runtime.block_on(idle_share())?;
    let per_ping = |share: f64| format!("{:.2}", share * 1e6 * INTERVAL.as_secs_f64() / connections as f64);

    let reached = runtime.block_on(server.publish())?;
    println!(
        "{connections:>11} | {:>6} | {:>5} | {:>5.2} | {:>11} | {:>11} | {:>14}",
        each(heap),
        each(rss),
        busy * 100.0,
        per_ping(busy),
        bare.map_or_else(|| "-".to_owned(), per_ping),
        reached.as_millis()
    );
    Ok(())
}

struct Server {
    connections: usize,
    handles: Arc<Mutex<Vec<Manager>>>,
    clients: Clients,
}

impl Server {
    async fn start(protocol: Protocol, connections: usize) -> Result<Self> {
        let handles = Arc::new(Mutex::new(Vec::with_capacity(connections)));
        let layer = WebSocketLayer::new({
            let handles = handles.clone();
            move |ws: Manager| {
                ws.drop_request();
                handles.lock().unwrap_or_else(PoisonError::into_inner).push(ws.clone());
                async move { ws.ignore_incoming().await.map(drop) }
            }
        });
        let service = layer.into_service();
        let clients = match protocol {
            Protocol::Http1 => {
                Clients::start("client", connections, |listener| {
                    tokio::spawn(server::serve_http1(listener, service.clone()));
                })
                .await?
            }
            Protocol::Http2 => {
                Clients::start("client-http2", connections, |listener| {
                    tokio::spawn(server::serve(listener, server::http(), service.clone()));
                })
                .await?
            }
        };
        Ok(Self { connections, handles, clients })
    }

    /// Waits until all clients are connected, and each connection has had its first ping.
    async fn opened(&mut self) -> Result<()> {
        self.clients.reported(CONNECTED).await?;
        sleep(INTERVAL + Duration::from_secs(1)).await;
        let opened = self.handles.lock().unwrap_or_else(PoisonError::into_inner).len();
        if opened != self.connections {
            return Err(format!("{opened} of {} connections opened", self.connections).into());
        }
        Ok(())
    }

    /// Sends a message to all, and returns when the last client has received it. Fails where one does not.
    async fn publish(&mut self) -> Result<Duration> {
        let handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let message = Message::from(Bytes::from(vec![b'x'; LENGTH]));
        let start = Instant::now();
        for ws in &handles {
            ws.send(message.clone()).await?;
            // The connections' tasks share this thread.
            tokio::task::consume_budget().await;
        }
        self.clients.reported(RECEIVED).await?;
        Ok(start.elapsed())
    }
}

/// A client's process: holds its connections, and reports when all are open, and when all have received the message.
pub(crate) fn connect(address: &str, connections: &str) -> Result<()> {
    let connector = Connector::new().config(config());
    let url = format!("ws://{address}/");
    run(connections.parse()?, || {
        let (connector, url) = (connector.clone(), url.clone());
        async move { Ok(connector.connect(url).await?) }
    })
}

/// The same over HTTP/2.
pub(crate) fn connect_http2(address: &str, connections: &str) -> Result<()> {
    let connections = connections.parse()?;
    let streams = Streams::new(address, config(), connections);
    run(connections, || streams.open())
}

/// The server's pings are all that is measured.
fn config() -> WebSocketConfig {
    WebSocketConfig::new().keepalive(Keepalive::disabled())
}

fn run<O>(connections: usize, open: impl Fn() -> O) -> Result<()>
where
    O: Future<Output = Result<Manager>> + Send + 'static,
{
    let missing = Countdown::new(connections);
    runtime()?.block_on(connect_each(connections, open, |ws| receive(ws, missing.clone())))
}

async fn receive(ws: Manager, missing: Arc<Countdown>) -> Result<()> {
    while let Some(message) = ws.recv().await? {
        if message.len() == LENGTH && missing.one_less() {
            println!("{RECEIVED}");
        }
    }
    Err("the server has closed a connection".into())
}

/// The message to all, in bytes.
const LENGTH: usize = 1024;
