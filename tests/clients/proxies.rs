//! Through HTTP and SOCKS5 proxies, to servers with and without TLS.

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http::Response;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tower::Layer as _;
use tower_websocket::{Connector, Error, ErrorKind, Manager, Message, Proxy as Setting, WebSocketLayer};

use crate::PATIENCE;
use crate::port::refusing;
use crate::proxy::Proxy;
use crate::server::{Act, Server};
use crate::tls::certified;

async fn echoes(connector: &Connector, url: &str) -> Result<(), Error> {
    let ws = timeout(PATIENCE, connector.connect(url)).await.unwrap()?;
    ws.send("through").await?;
    assert_eq!(ws.recv().await?, Some(Message::text("through")));
    ws.close().await
}

#[tokio::test]
async fn an_http_proxy_tunnels_with_and_without_tls() {
    let proxy = Proxy::http(Some("Basic dXNlcjpwYXNzIHdvcmQ=")).await;
    let (acceptor, config) = certified(&["http/1.1"]);
    let (plain, secure) = (Server::start(|_| Act::Echo).await, Server::start_with(Some(acceptor), |_| Act::Echo).await);
    let setting = Setting::all(&format!("http://user:pass%20word@{}", proxy.address)).unwrap();
    let connector = Connector::new().proxy(setting).tls_config(config);
    for (scheme, server) in [("ws", &plain), ("wss", &secure)] {
        let port = server.address.port();
        echoes(&connector, &format!("{scheme}://localhost:{port}/")).await.unwrap();
        assert_eq!(proxy.asked(), [format!("localhost:{port}")]);
    }
}

#[tokio::test]
async fn a_socks5_proxy_tunnels_with_and_without_tls() {
    let proxy = Proxy::socks5(Some(("user", "pass"))).await;
    let (acceptor, config) = certified(&["http/1.1"]);
    let (plain, secure) = (Server::start(|_| Act::Echo).await, Server::start_with(Some(acceptor), |_| Act::Echo).await);
    for (scheme, server) in [("ws", &plain), ("wss", &secure)] {
        let port = server.address.port();
        // Who resolves the name is the difference.
        for (socks, host) in [("socks5h", "localhost"), ("socks5", "127.0.0.1")] {
            let setting = Setting::all(&format!("{socks}://user:pass@{}", proxy.address)).unwrap();
            let connector = Connector::new().proxy(setting).tls_config(config.clone());
            let named = if socks == "socks5" { "127.0.0.1" } else { "localhost" };
            echoes(&connector, &format!("{scheme}://{named}:{port}/")).await.unwrap();
            assert_eq!(proxy.asked(), [format!("{host}:{port}")]);
        }
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_or_is_away_is_an_error_of_connecting() {
    let server = Server::start(|_| Act::Echo).await;
    let http = Proxy::http(Some("Basic x")).await;
    let socks = Proxy::socks5(Some(("user", "pass"))).await;
    let (_socket, away) = refusing();
    for url in [
        format!("http://{}", http.address),
        format!("http://wrong:pass@{}", http.address),
        format!("socks5h://{}", socks.address),
        format!("socks5h://user:wrong@{}", socks.address),
        format!("http://{away}"),
        format!("socks5://{away}"),
    ] {
        let connector = Connector::new().proxy(Setting::all(&url).unwrap());
        let error = echoes(&connector, &server.url()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{url}");
        // A proxy may be there again; another user or password it will not guess.
        assert_eq!(error.is_retryable(), url.ends_with(&away.to_string()), "{url}: {error:?}");
    }
    assert!(server.arrivals().is_empty());
}

/// However far it was, and whichever kind of proxy it is: one failure has one spelling, and may be cured.
#[tokio::test]
async fn a_proxy_that_closes_or_resets_is_said_to_in_the_same_words() {
    for loss in [Loss::AtOnce, Loss::Reset, Loss::AfterTheFirstByte, Loss::InTheAnswer] {
        let address = losing(loss).await;
        for scheme in ["http", "socks5", "socks5h"] {
            for user in ["", "user:pass@"] {
                let proxy = Setting::all(&format!("{scheme}://{user}{address}")).unwrap();
                for server in ["ws://127.0.0.1:9/", "wss://127.0.0.1:9/"] {
                    let connector = Connector::new().proxy(proxy.clone());
                    let error = timeout(PATIENCE, connector.connect(server)).await.unwrap().unwrap_err();
                    let what = format!("{loss:?} {scheme} {user} {server}: {error:?}");
                    assert_eq!(error.kind(), ErrorKind::Connect, "{what}");
                    assert!(error.is_retryable(), "{what}");
                    let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
                    assert_eq!(source.kind(), io::ErrorKind::ConnectionReset, "{what}");
                    let words = "the proxy closed or reset the connection without an answer";
                    assert_eq!(source.to_string(), words, "{what}");
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Loss {
    AtOnce,
    Reset,
    AfterTheFirstByte,
    /// Which is one of HTTP and one of SOCKS5 as well, if a short one.
    InTheAnswer,
}

/// A proxy that fails so.
async fn losing(loss: Loss) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            match loss {
                Loss::AtOnce => {}
                Loss::Reset => SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap(),
                Loss::AfterTheFirstByte => drop(client.read_u8().await),
                Loss::InTheAnswer => {
                    let first =
                        if client.read_u8().await.is_ok_and(|byte| byte == 5) { &[5][..] } else { b"HTTP/1.1 2" };
                    let _ = client.write_all(first).await;
                    let _ = client.shutdown().await;
                }
            }
        }
    });
    address
}

#[tokio::test]
async fn a_proxy_that_is_away_is_named_as_the_one() {
    let (_socket, away) = refusing();
    for scheme in ["http", "socks5h"] {
        let proxy = Setting::all(&format!("{scheme}://{away}")).unwrap();
        let error = Connector::new().proxy(proxy).connect("ws://server.example/").await.unwrap_err();
        let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
        assert!(source.to_string().starts_with("the connection to the proxy failed: "), "{source}");
    }
}

/// A server of HTTP/2 sends its settings at once: they may arrive together with the proxy's answer.
#[tokio::test]
async fn what_the_server_says_first_is_not_lost() {
    let server = speaking_first().await;
    for (scheme, proxy) in
        [("http", Proxy::http_that(true, None).await), ("socks5", Proxy::socks5_that(true, None).await)]
    {
        let setting = Setting::all(&format!("{scheme}://{}", proxy.address)).unwrap();
        echoes(&Connector::new().proxy(setting).http2(), &format!("ws://{server}/")).await.unwrap();
        assert_eq!(proxy.asked(), [server.to_string()]);
    }
}

/// An echo over HTTP/2 alone.
async fn speaking_first() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = WebSocketLayer::new(async |ws: Manager| {
                while let Some(message) = ws.recv().await? {
                    ws.send(message).await?;
                }
                Ok::<_, Error>(())
            });
            let service = service
                .layer(tower::service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(String::new()))));
            let mut server = http2::Builder::new(TokioExecutor::new());
            server.enable_connect_protocol();
            tokio::spawn(server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
        }
    });
    address
}

#[tokio::test]
async fn what_no_proxy_names_is_connected_to_directly() {
    let proxy = Proxy::http(None).await;
    let server = Server::start(|_| Act::Echo).await;
    let setting = Setting::all(&format!("http://{}", proxy.address)).unwrap();
    echoes(&Connector::new().proxy(setting.clone().no_proxy("127.0.0.0/8").unwrap()), &server.url()).await.unwrap();
    assert!(proxy.asked().is_empty());
    echoes(&Connector::new().proxy(setting), &server.url()).await.unwrap();
    assert_eq!(proxy.asked(), [server.address.to_string()]);
}
