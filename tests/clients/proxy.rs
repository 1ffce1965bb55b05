//! Small proxies: one for HTTP, one for SOCKS5.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A proxy that writes down where it was asked to go.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Tunnels by `CONNECT` (RFC 9110 §9.3.6), for clients with this `Proxy-Authorization`, if one is given.
    pub(crate) async fn http(authorization: Option<&'static str>) -> Self {
        Self::http_that(false, authorization).await
    }

    /// The same, whose answer may wait for the first bytes of the server.
    pub(crate) async fn http_that(waits: bool, authorization: Option<&'static str>) -> Self {
        Self::start(move |mut client, asked| async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let server = head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap().to_owned();
            asked.lock().unwrap().push(server.clone());
            if authorization.is_some_and(|wanted| !head.contains(&format!("Proxy-Authorization: {wanted}\r\n"))) {
                return client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await.unwrap();
            }
            let server = TcpStream::connect(server).await.unwrap();
            lead(client, server, b"HTTP/1.1 200 Connection established\r\n\r\n", waits).await;
        })
        .await
    }

    /// SOCKS5 (RFC 1928), for this user and password (RFC 1929) if there are any.
    pub(crate) async fn socks5(user: Option<(&'static str, &'static str)>) -> Self {
        Self::socks5_that(false, user).await
    }

    /// The same, whose answer may wait for the first bytes of the server.
    pub(crate) async fn socks5_that(waits: bool, user: Option<(&'static str, &'static str)>) -> Self {
        Self::start(move |mut client, asked| async move {
            assert_eq!(client.read_u8().await.unwrap(), 5);
            let methods = block(&mut client).await;
            let method = if user.is_some() { 2 } else { 0 };
            if !methods.contains(&method) {
                return client.write_all(&[5, 0xff]).await.unwrap();
            }
            client.write_all(&[5, method]).await.unwrap();
            if let Some((user, password)) = user {
                assert_eq!(client.read_u8().await.unwrap(), 1);
                let is_known = block(&mut client).await == user.as_bytes();
                let is_known = block(&mut client).await == password.as_bytes() && is_known;
                client.write_all(&[1, u8::from(!is_known)]).await.unwrap();
                if !is_known {
                    return;
                }
            }
            let mut request = [0; 4];
            client.read_exact(&mut request).await.unwrap();
            let host = match request {
                [5, 1, 0, 1] => std::net::Ipv4Addr::from(client.read_u32().await.unwrap()).to_string(),
                [5, 1, 0, 3] => String::from_utf8(block(&mut client).await).unwrap(),
                _ => panic!("{request:?}"),
            };
            let port = client.read_u16().await.unwrap();
            asked.lock().unwrap().push(format!("{host}:{port}"));
            let server = TcpStream::connect((host, port)).await.unwrap();
            lead(client, server, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0], waits).await;
        })
        .await
    }

    async fn start<F>(serve: impl Fn(TcpStream, Arc<Mutex<Vec<String>>>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = asked.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                client.set_nodelay(true).unwrap();
                tokio::spawn(serve(client, log.clone()));
            }
        });
        Self { address, asked }
    }

    /// Where it was asked to go since the last call.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// Answers, and joins the two. With `waits`, the server's first bytes come together with the answer.
async fn lead(mut client: TcpStream, mut server: TcpStream, answer: &[u8], waits: bool) {
    let mut answer = answer.to_vec();
    if waits {
        server.read_buf(&mut answer).await.unwrap();
    }
    client.write_all(&answer).await.unwrap();
    // Either may go away.
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

/// A length and so many bytes.
async fn block(client: &mut TcpStream) -> Vec<u8> {
    let mut block = vec![0; client.read_u8().await.unwrap().into()];
    client.read_exact(&mut block).await.unwrap();
    block
}
