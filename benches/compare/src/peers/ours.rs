use anyhow::Result;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tower_websocket::{Error, Limits, Manager, Upgrader, WebSocketLayer};

use super::serve::Io;

/// The crate's echo, as in its example of that name.
pub async fn echo(stream: impl Io) -> Result<()> {
    let upgrader = Upgrader::new().limits(Limits::default().max_message_size(64 * MIB));
    let service = WebSocketLayer::new(messages).path("/ws").upgrader(upgrader).into_service();
    let service = TowerToHyperService::new(service);
    Ok(http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await?)
}

async fn messages(ws: Manager) -> Result<(), Error> {
    ws.drop_request();
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

const MIB: usize = 1024 * 1024;
