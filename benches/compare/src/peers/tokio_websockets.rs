use anyhow::Result;
use futures_util::{SinkExt, StreamExt};
use tokio_websockets::{Config, ServerBuilder};

use super::serve::Io;

/// tokio-websockets, as in its own echo example.
pub async fn echo(stream: impl Io) -> Result<()> {
    let config = Config::default().frame_size(usize::MAX);
    let (_request, mut socket) = ServerBuilder::new().config(config).accept(stream).await?;
    tokio::task::unconstrained(async {
        while let Some(message) = socket.next().await {
            let message = message?;
            if message.is_text() || message.is_binary() {
                socket.send(message).await?;
            }
        }
        Ok(())
    })
    .await
}
