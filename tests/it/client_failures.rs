//! Why a client could not connect: always the cause, and one failure always in the same words. Two threads, so that all that
//! races does.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower_websocket::{Connector, Error, ErrorKind};

use crate::net::listen;

/// The error with all its causes.
fn spelled(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(" <- {error}");
        cause = error.source();
    }
    text
}

/// All attempts fail with these words and no others.
async fn always(client: &Connector, url: &str, attempts: usize, words: &str) {
    always_one_of(client, url, attempts, &[words]).await;
}

/// All attempts fail with one of these, and in one spelling of each.
async fn always_one_of(client: &Connector, url: &str, attempts: usize, all_words: &[&str]) {
    let mut spellings = BTreeMap::new();
    for _ in 0..attempts {
        let error = client.connect(url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
        assert!(error.source().unwrap().is::<io::Error>(), "{error:?}");
        *spellings.entry(format!("{}, {error:?}", spelled(&error))).or_insert(0) += 1;
    }
    let are_known = spellings.keys().all(|text| all_words.iter().any(|words| text.contains(words)));
    assert!(spellings.len() <= all_words.len() && are_known, "{spellings:#?}");
}

fn clients() -> [Connector; 2] {
    [Connector::new(), Connector::new().http2()]
}

fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

const CLOSED: &str = "could not connect <- the server closed or reset the connection without an answer";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_reset_at_once() {
    let address = listen(|stream| async { reset(stream) }).await;
    for client in clients() {
        always(&client, &format!("ws://{address}/"), 100, CLOSED).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_dropped_at_once_or_a_little_later() {
    for pause in [0, 50, 200] {
        // By then the request has arrived or has not.
        let address = listen(move |stream| async move {
            tokio::time::sleep(Duration::from_micros(pause)).await;
            drop(stream);
        })
        .await;
        for client in clients() {
            always(&client, &format!("ws://{address}/"), 100, CLOSED).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_reset_after_the_request() {
    let address = listen(|mut stream| async {
        stream.read_u8().await.unwrap();
        reset(stream);
    })
    .await;
    for client in clients() {
        always(&client, &format!("ws://{address}/"), 50, CLOSED).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_closed_without_an_answer() {
    let after_the_request = listen(|mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        stream.shutdown().await.unwrap();
        while stream.read(&mut [0; 4096]).await.is_ok_and(|len| len > 0) {}
    })
    .await;
    let in_the_head = listen(|mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        stream.write_all(b"HTTP/1.1 101 Swi").await.unwrap();
        stream.shutdown().await.unwrap();
        while stream.read(&mut [0; 4096]).await.is_ok_and(|len| len > 0) {}
    })
    .await;
    for client in clients() {
        always(&client, &format!("ws://{after_the_request}/"), 20, CLOSED).await;
    }
    always(&Connector::new(), &format!("ws://{in_the_head}/"), 20, CLOSED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_http2_that_goes_away_before_the_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut builder = h2::server::Builder::new();
                let mut connection =
                    builder.enable_connect_protocol().handshake::<_, bytes::Bytes>(stream).await.unwrap();
                let _request = connection.accept().await;
            });
        }
    });
    always(&Connector::new().http2(), &format!("ws://{address}/"), 20, CLOSED).await;
}

/// With `ws://` nothing tells a client before that a server has HTTP/1.1 alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_http2_that_answers_to_it() {
    for answer in ["HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "SSH-2.0-OpenSSH_9.6\r\n"] {
        let address = listen(move |mut stream| async move {
            stream.write_all(answer.as_bytes()).await.unwrap();
            while stream.read(&mut [0; 4096]).await.is_ok_and(|len| len > 0) {}
        })
        .await;
        for _ in 0..20 {
            let error = Connector::new().http2().connect(format!("ws://{address}/")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Handshake, "{error:#}");
            assert!(!error.is_retryable() && error.response().is_none(), "{error:#}");
        }
    }
}

#[cfg(feature = "rustls")]
mod tls {
    use std::sync::Arc;

    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;
    use tokio_rustls::rustls::server::WebPkiClientVerifier;
    use tokio_rustls::rustls::version::{TLS12, TLS13};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

    use super::*;
    use crate::shared::certified;

    /// A server that wants to know who its clients are, and a client that does not say.
    fn demanding(version: &'static SupportedProtocolVersion) -> (TlsAcceptor, Arc<ClientConfig>) {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = certified.cert.der().clone();
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let roots = Arc::new(roots);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build().unwrap();
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate], key)
            .unwrap();
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        (TlsAcceptor::from(Arc::new(server)), Arc::new(client))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_demands_a_certificate() {
        const ALERT: &str = "could not connect <- received fatal alert: CertificateRequired";

        for version in [&TLS12, &TLS13] {
            let (acceptor, config) = demanding(version);
            // It reads what is still to come before it ends the connection, or not, which resets it.
            let serve = |reads: bool| {
                let acceptor = acceptor.clone();
                listen(move |stream| {
                    let acceptor = acceptor.clone();
                    async move {
                        let (_, mut stream) = acceptor.accept(stream).into_fallible().await.err().unwrap();
                        stream.shutdown().await.unwrap();
                        while reads && stream.read(&mut [0; 4096]).await.is_ok_and(|len| len > 0) {}
                    }
                })
            };
            let (reading, resetting) = (serve(true).await, serve(false).await);
            for client in clients() {
                let client = client.tls_config(config.clone());
                always(&client, &format!("wss://localhost:{}/", reading.port()), 200, ALERT).await;
                // On a busy machine the reset can overtake the alert.
                always_one_of(&client, &format!("wss://localhost:{}/", resetting.port()), 200, &[ALERT, CLOSED]).await;
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_closes_or_resets_in_the_midst_of_tls() {
        let (acceptor, config) = certified(&["h2", "http/1.1"]);
        let closed = listen(|mut stream| async move {
            let _ = stream.read(&mut [0; 4096]).await;
            stream.shutdown().await.unwrap();
            while stream.read(&mut [0; 4096]).await.is_ok_and(|len| len > 0) {}
        })
        .await;
        let after = listen(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let mut stream = acceptor.accept(stream).await.unwrap();
                let _ = stream.read(&mut [0; 4096]).await;
                stream.shutdown().await.unwrap();
                while stream.read(&mut [0; 4096]).await.is_ok_and(|len| len > 0) {}
            }
        })
        .await;
        let reset = listen(|mut stream| async {
            stream.read_u8().await.unwrap();
            reset(stream);
        })
        .await;
        let dropped = listen(|stream| async move { drop(stream) }).await;
        for client in clients() {
            let client = client.tls_config(config.clone());
            for address in [closed, after, dropped] {
                always(&client, &format!("wss://localhost:{}/", address.port()), 20, CLOSED).await;
            }
            always(&client, &format!("wss://localhost:{}/", reset.port()), 50, CLOSED).await;
        }
    }
}
