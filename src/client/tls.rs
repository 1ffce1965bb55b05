//! TLS with rustls.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::observed::Observed;
use crate::error::{Error, ErrorKind};

/// The name of a host for TLS, which does not accept every name that the resolver accepts.
pub(super) fn server_name(host: &str) -> Result<ServerName<'static>, Error> {
    let name = ServerName::try_from(host.to_owned());
    name.map_err(|_| Error::with_source(ErrorKind::InvalidSetting, "the host of a wss:// URL must be a valid DNS name"))
}

/// Does a TLS handshake with the server of this name, and offers HTTP/2 if `http2` is set. Returns whether the server chose it.
pub(super) async fn secure<Io>(
    io: Io,
    name: ServerName<'static>,
    config: Option<&Arc<ClientConfig>>,
    http2: bool,
) -> io::Result<(TlsStream<Observed<Io>>, bool)>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let mut config = match config {
        Some(config) => ClientConfig::clone(config),
        None => ClientConfig::clone(default_config()?),
    };
    config.alpn_protocols = if http2 { vec![H2.into(), HTTP_1_1.into()] } else { vec![HTTP_1_1.into()] };
    // The server's alert may arrive between two of our writes: see `Observed`.
    let (io, is_connected) = Observed::under_handshake(io);
    let stream = TlsConnector::from(Arc::new(config)).connect(name, io).await?;
    is_connected.store(true, Ordering::Relaxed);
    let chosen = stream.get_ref().1.alpn_protocol() == Some(H2);
    Ok((stream, chosen))
}

/// A configuration with Mozilla's root certificates. The provider is explicit, so that the process needs no default provider.
fn default_config() -> io::Result<&'static ClientConfig> {
    static CONFIG: OnceLock<ClientConfig> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config);
    }
    let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(CONFIG.get_or_init(|| config))
}

/// A configuration with the certificates that the operating system trusts.
#[cfg(feature = "rustls-platform-verifier")]
pub(super) fn platform_config() -> Result<ClientConfig, tokio_rustls::rustls::Error> {
    use rustls_platform_verifier::BuilderVerifierExt;

    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth())
}

const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";
