//! The same without WebSockets: tasks on bare TCP sockets that send as many bytes as a ping each three seconds, to clients
//! that send as many as a pong back. No server of WebSockets on tokio can cost less than that.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::clients::{CONNECTED, Clients, connect_each};
use super::process::{idle_share, runtime};
use super::{INTERVAL, Result};

/// The server's process. Prints the share of a core that it takes.
pub(crate) fn serve(connections: &str) -> Result<()> {
    let connections: usize = connections.parse()?;
    let busy = runtime()?.block_on(async {
        let mut clients = Clients::start("bare-client", connections, |listener| {
            tokio::spawn(accept(listener));
        })
        .await?;
        clients.reported(CONNECTED).await?;
        sleep(INTERVAL).await;
        idle_share().await
    })?;
    println!("{busy}");
    Ok(())
}

/// A client's process.
pub(crate) fn connect(address: &str, connections: &str) -> Result<()> {
    let address = address.to_owned();
    runtime()?.block_on(connect_each(
        connections.parse()?,
        || {
            let address = address.clone();
            async { Ok(TcpStream::connect(address).await?) }
        },
        answer,
    ))
}

async fn accept(listener: TcpListener) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(ping(stream));
    }
}

/// Sends ten bytes after each silence, as a ping with its number.
async fn ping(mut stream: TcpStream) -> Result<()> {
    let mut buffer = [0; 64];
    loop {
        match timeout(INTERVAL, stream.read(&mut buffer)).await {
            Err(_) => stream.write_all(&buffer[..10]).await?,
            Ok(read) => {
                if read? == 0 {
                    return Ok(());
                }
            }
        }
    }
}

/// Sends fourteen bytes for each ping, as a masked pong.
async fn answer(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 64];
    while stream.read(&mut buffer).await? > 0 {
        stream.write_all(&buffer[..14]).await?;
    }
    Err("the server has closed a connection".into())
}
