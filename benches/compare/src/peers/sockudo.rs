use anyhow::{Context, Result};
use bytes::BytesMut;
use futures_util::{FutureExt, SinkExt, StreamExt};
use sockudo_ws::{
    Config, Message, WebSocketStream,
    handshake::{build_response, generate_accept_key, parse_request},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// sockudo-ws with the handshake of its own examples, and one flush for all that came at once.
pub async fn echo(mut stream: TcpStream) -> Result<()> {
    let mut request = BytesMut::with_capacity(4096);
    let response = loop {
        stream.read_buf(&mut request).await?;
        if let Some((request, _)) = parse_request(&request)? {
            break build_response(&generate_accept_key(request.key), None, None);
        }
    };
    stream.write_all(&response).await?;

    let config = Config::builder().validate_text_utf8(true).max_message_size(2 * MIB).max_frame_size(2 * MIB).build();
    let mut socket = WebSocketStream::server(stream, config);
    while let Some(message) = socket.next().await {
        let mut message = Some(message);
        while let Some(echoed) = message {
            let echoed = echoed.context("it failed")?;
            if matches!(echoed, Message::Text(_) | Message::Binary(_)) {
                socket.feed(echoed).await?;
            }
            message = socket.next().now_or_never().flatten();
        }
        socket.flush().await?;
    }
    Ok(())
}

const MIB: usize = 1024 * 1024;
