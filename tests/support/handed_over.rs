//! Handlers whose connections the test uses itself.

use std::pin::Pin;

use tokio::sync::mpsc;
use tower_websocket::{Error, Manager, WebSocketLayer};

/// A layer whose handler hands its manager to the test and stays until the connection is over, and where they arrive.
pub(crate) fn handed_over()
-> (WebSocketLayer<impl Fn(Manager) -> Handler + Send + Sync + 'static>, mpsc::UnboundedReceiver<Manager>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let layer = WebSocketLayer::new(move |ws: Manager| -> Handler {
        let _ = sender.send(ws.clone());
        Box::pin(async move { ws.done().await.map(drop) })
    });
    (layer, receiver)
}

type Handler = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;
