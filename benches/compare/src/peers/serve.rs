use std::{env, future::Future, net::SocketAddr};

use anyhow::Result;
use clap::{Args, ValueEnum};
use http_body_util::Empty;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime,
};

#[derive(Args)]
pub struct Options {
    peer: Peer,
    #[arg(env = "ADDR", default_value = "127.0.0.1:9001")]
    address: SocketAddr,
}

/// The peers that are Rust crates, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Peer {
    Tcp,
    Tungstenite,
    TungsteniteTuned,
    Axum,
    Fastwebsockets,
    TokioWebsockets,
    Sockudo,
    Wtx,
    Yawc,
}

/// Runs the echo server of a peer until the process is ended.
pub fn serve(options: &Options) -> Result<()> {
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(options.address).await?;
        println!("listening");
        match options.peer {
            Peer::Tcp => accept(listener, super::tcp::echo).await,
            Peer::Tungstenite => accept(listener, super::tungstenite::echo).await,
            Peer::TungsteniteTuned => accept(listener, super::tungstenite::echo_tuned).await,
            Peer::Axum => super::axum::serve(listener).await,
            Peer::Fastwebsockets => accept(listener, |stream| upgrades(stream, super::fastwebsockets::upgrade)).await,
            Peer::TokioWebsockets => accept(listener, super::tokio_websockets::echo).await,
            Peer::Sockudo => accept(listener, super::sockudo::echo).await,
            Peer::Wtx => accept(listener, super::wtx::echo).await,
            Peer::Yawc => {
                let options = super::yawc::options(env::var("COMPRESSION").is_ok_and(|value| value == "1"));
                accept(listener, |stream| {
                    let options = options.clone();
                    upgrades(stream, move |request| super::yawc::upgrade(request, options.clone()))
                })
                .await
            }
        }
    })
}

/// Spawns `echo` for each connection. How a connection ends is not looked at: the load client would notice.
async fn accept<E>(listener: TcpListener, echo: impl Fn(TcpStream) -> E) -> Result<()>
where
    E: Future<Output = Result<()>> + Send + 'static,
{
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(echo(stream));
    }
}

/// Serves HTTP/1.1 with upgrades by hyper, for the libraries that leave the handshake's HTTP to it.
async fn upgrades(
    stream: TcpStream,
    upgrade: impl Fn(Request<Incoming>) -> Result<Response<Empty<Bytes>>>,
) -> Result<()> {
    let service = service_fn(|request| std::future::ready(upgrade(request)));
    Ok(http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await?)
}
