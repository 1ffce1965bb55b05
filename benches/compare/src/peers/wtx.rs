use anyhow::Result;
use tokio::net::TcpStream;
use wtx::{
    collection::Vector,
    web_socket::{OpCode, WebSocketAcceptor, WebSocketPayloadOrigin},
};

/// wtx, without an HTTP server: the handshake is its own.
pub async fn echo(stream: TcpStream) -> Result<()> {
    let mut socket = WebSocketAcceptor::default().no_masking(false).accept(stream).await?;
    let mut buffer = Vector::new();
    loop {
        let mut frame = socket.read_frame(&mut buffer, WebSocketPayloadOrigin::Adaptive).await?;
        match frame.op_code() {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => {
                let mut echoed = wtx::web_socket::Frame::new_fin(frame.op_code(), frame.payload_mut().to_vec());
                socket.write_frame(&mut echoed).await?;
            }
            _ => {}
        }
        buffer.clear();
    }
}
