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
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    runtime,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::tls;

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
    /// Over TLS alone: in the clear it is the crate's example.
    Ours,
}

/// What an echo talks over.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// Runs the echo server of a peer until the process is ended.
pub fn serve(options: &Options) -> Result<()> {
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(options.address).await?;
        println!("listening");
        let tls = tls::acceptor()?;
        // In the clear each has the TCP stream itself.
        macro_rules! either {
            ($echo:expr) => {
                match tls {
                    None => accept(listener, $echo).await,
                    Some(tls) => accept_tls(listener, tls, $echo).await,
                }
            };
        }
        match options.peer {
            Peer::Tcp => either!(super::tcp::echo),
            Peer::Tungstenite => accept(listener, super::tungstenite::echo).await,
            Peer::TungsteniteTuned => accept(listener, super::tungstenite::echo_tuned).await,
            Peer::Axum => super::axum::serve(listener, tls).await,
            Peer::Fastwebsockets => either!(|stream| upgrades(stream, super::fastwebsockets::upgrade)),
            Peer::TokioWebsockets => either!(super::tokio_websockets::echo),
            Peer::Ours => either!(super::ours::echo),
            Peer::Sockudo => accept(listener, super::sockudo::echo).await,
            Peer::Wtx => accept(listener, super::wtx::echo).await,
            Peer::Yawc => {
                let is_on = |name| env::var(name).is_ok_and(|value| value == "1");
                let options = super::yawc::options(is_on("COMPRESSION"), is_on("TAKEOVER"));
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

/// The same over TLS.
async fn accept_tls<E>(listener: TcpListener, tls: TlsAcceptor, echo: impl Fn(TlsStream<TcpStream>) -> E) -> Result<()>
where
    E: Future<Output = Result<()>> + Send + 'static,
{
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A connection to see whether the server is there ends here.
        if let Ok(stream) = tls.accept(stream).await {
            tokio::spawn(echo(stream));
        }
    }
}

/// Serves HTTP/1.1 with upgrades by hyper, for the libraries that leave the handshake's HTTP to it.
async fn upgrades(
    stream: impl Io,
    upgrade: impl Fn(Request<Incoming>) -> Result<Response<Empty<Bytes>>>,
) -> Result<()> {
    let service = service_fn(|request| std::future::ready(upgrade(request)));
    Ok(http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await?)
}
