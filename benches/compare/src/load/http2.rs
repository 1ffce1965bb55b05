use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use h2::{RecvStream, SendStream, client, ext::Protocol};
use http::{Method, Request, StatusCode, Version};
use tokio::{net::TcpStream, task::yield_now};

use super::conversation::{Conversation, Phase};

/// A WebSocket on a stream of an HTTP/2 connection.
#[derive(Debug)]
pub struct Stream {
    outgoing: SendStream<Bytes>,
    incoming: RecvStream,
}

impl Stream {
    pub async fn read(&mut self) -> Result<Bytes> {
        let data = self.incoming.data().await.context("the server ended the stream")??;
        self.incoming.flow_control().release_capacity(data.len())?;
        Ok(data)
    }

    pub fn write(&mut self, bytes: Bytes) -> Result<()> {
        Ok(self.outgoing.send_data(bytes, false)?)
    }
}

/// A conversation on such a stream.
#[derive(Debug)]
pub struct Talk {
    pub stream: Stream,
    pub conversation: Conversation,
}

impl Talk {
    pub async fn run(&mut self, phase: &Phase) -> Result<()> {
        let mut owed = self.conversation.script.in_flight;
        loop {
            if owed > 0 {
                let burst = self.conversation.say(owed);
                self.stream.write(self.conversation.script.frames.slice(burst))?;
            }
            if self.conversation.is_quiet() {
                return Ok(());
            }
            let data = self.stream.read().await?;
            owed = self.conversation.hear(&data, phase)?;
        }
    }
}

/// Opens one HTTP/2 connection by prior knowledge, and so many WebSockets on it, by extended CONNECT.
pub async fn open(address: SocketAddr, websockets: usize) -> Result<Vec<Stream>> {
    const WINDOW: u32 = 1 << 20;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (requests, connection) = client::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(8 * WINDOW)
        .handshake(stream)
        .await?;
    let connection = tokio::spawn(connection);
    let mut requests = requests.ready().await?;
    while !requests.is_extended_connect_protocol_enabled() {
        ensure!(!connection.is_finished(), "the server does not speak HTTP/2");
        yield_now().await;
    }

    let mut streams = Vec::new();
    for _ in 0..websockets {
        let request = Request::builder()
            .method(Method::CONNECT)
            .version(Version::HTTP_2)
            .uri(format!("http://{address}/ws"))
            .extension(Protocol::from_static("websocket"))
            .header("sec-websocket-version", "13")
            .body(())?;
        let (response, outgoing) = requests.send_request(request, false)?;
        let response = response.await?;
        ensure!(response.status() == StatusCode::OK, "extended CONNECT was refused: {}", response.status());
        streams.push(Stream { outgoing, incoming: response.into_body() });
        requests = requests.ready().await?;
    }
    Ok(streams)
}
