use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::serve::Io;

/// Sends back bytes as they come: the floor that no WebSocket server gets under.
pub async fn echo(mut stream: impl Io) -> Result<()> {
    let mut buffer = Vec::with_capacity(64 * 1024);
    while stream.read_buf(&mut buffer).await? > 0 {
        stream.write_all(&buffer).await?;
        stream.flush().await?;
        buffer.clear();
    }
    Ok(())
}
