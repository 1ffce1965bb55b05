//! A certificate for the proxy, and what trusts it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

pub(crate) struct Certificate {
    /// Certificate and key in one file, as HAProxy wants them; nginx takes them from there too.
    pub(crate) pem: PathBuf,
    pub(crate) trust: Arc<ClientConfig>,
}

impl Certificate {
    pub(crate) fn new(directory: &Path) -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let pem = directory.join("proxy.pem");
        std::fs::write(&pem, certified.cert.pem() + &certified.signing_key.serialize_pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certified.cert.der().clone()).unwrap();
        let trust = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { pem, trust: Arc::new(trust) }
    }
}
