//! The handler that most tests and benches use.

use tower_websocket::{Error, Manager};

/// Sends each message back.
pub(crate) async fn echo(ws: Manager) -> Result<(), Error> {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}
