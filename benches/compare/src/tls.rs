//! The certificate of the servers that speak TLS, which the client trusts.

use std::{env, fs, path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

/// Where the certificate and its key are for the processes that are started, as `certificate.pem` and `key.pem`.
pub const FOLDER: &str = "TLS_FOLDER";
/// The name in the certificate.
pub const NAME: &str = "localhost";

/// Makes a certificate, and says in which folder it is.
pub fn certificate() -> Result<PathBuf> {
    let folder = env::current_exe()?.with_file_name("tls");
    fs::create_dir_all(&folder)?;
    let certified = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    fs::write(folder.join("certificate.pem"), certified.cert.pem())?;
    fs::write(folder.join("key.pem"), certified.signing_key.serialize_pem())?;
    Ok(folder)
}

/// What a server accepts with, if it is to speak TLS.
pub fn acceptor() -> Result<Option<TlsAcceptor>> {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return Ok(None) };
    let certificate = CertificateDer::from_pem_file(folder.join("certificate.pem"))?;
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem"))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// What the client connects with.
pub fn connector() -> Result<TlsConnector> {
    let folder = env::var_os(FOLDER).map(PathBuf::from).context("there is no certificate")?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("certificate.pem"))?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
