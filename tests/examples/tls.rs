//! The example over TLS.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio_tungstenite::tungstenite::Message;

use crate::client::Http2;
use crate::process::Example;

#[tokio::test]
async fn tls_offers_http2_and_says_how_a_websocket_came() {
    let mut example = Example::start("tls").await;
    let stream = connect(example.address()).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut connection = Http2::over(stream, example.address()).await;
    let (.., page) = connection.get("/").await;
    assert!(page.contains("<h1>WebSockets over TLS</h1>"), "{page}");
    let mut socket = connection.open("/ws").await;
    assert_eq!(socket.receive().await, Message::text("opened over HTTP/2.0"));
    socket.send(Message::text("close")).await;
    assert_eq!(socket.closed().await, Some((1000, "as you wish".to_owned())));
    assert_eq!(example.line().await, "closed over HTTP/2.0: code 1000, as you wish");
}

pub(crate) async fn connect(address: &str) -> TlsStream<TcpStream> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await.expect("the example listens");
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from("localhost").expect("a valid name"), stream)
        .await
        .expect("TLS is spoken")
}

/// The example's certificate is made anew each time, and nobody has signed it.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
