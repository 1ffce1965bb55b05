use anyhow::Result;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    accept_async, accept_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

/// tokio-tungstenite as it comes.
pub async fn echo(stream: TcpStream) -> Result<()> {
    let mut socket = accept_async(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if is_data(&message) {
            socket.send(message).await?;
        }
    }
    Ok(())
}

/// A small read buffer, which tungstenite fills with zeros before each read, and one flush for all that came at once.
pub async fn echo_tuned(stream: TcpStream) -> Result<()> {
    let config = WebSocketConfig::default().read_buffer_size(8 * 1024);
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    while let Some(message) = socket.next().await {
        let mut message = Some(message);
        while let Some(echoed) = message {
            let echoed = echoed?;
            if is_data(&echoed) {
                socket.feed(echoed).await?;
            }
            message = socket.next().now_or_never().flatten();
        }
        socket.flush().await?;
    }
    Ok(())
}

fn is_data(message: &Message) -> bool {
    message.is_text() || message.is_binary()
}
