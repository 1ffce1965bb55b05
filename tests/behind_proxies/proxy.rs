//! A proxy in front of the server, with a certificate of its own.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::backend::Backend;
use crate::program::Program;

pub(crate) struct Proxy {
    pub(crate) port: u16,
    /// What a client needs to trust its certificate.
    pub(crate) trust: Arc<ClientConfig>,
    _program: Program,
}

impl Proxy {
    /// Runs a proxy with this configuration, in which `BACKEND` stands for the server, `PEM` for the file with certificate and
    /// key, and the rest is as [`Program::start`] says. `None`, and a sentence, where it is not installed.
    pub(crate) async fn start(name: &str, arguments: &[&str], configuration: &str, backend: &Backend) -> Option<Self> {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        // Both in one file, as HAProxy wants them; nginx takes them from there too.
        let pem = certified.cert.pem() + &certified.signing_key.serialize_pem();
        let configuration =
            configuration.replace("BACKEND", &backend.address.to_string()).replace("PEM", "DIRECTORY/both.pem");
        let files = [("configuration", &*configuration), ("both.pem", &pem)];
        let program = Program::start(name, arguments, &files).await?;
        let mut roots = RootCertStore::empty();
        roots.add(certified.cert.der().clone()).unwrap();
        let trust = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Some(Self { port: program.port, trust: Arc::new(trust), _program: program })
    }
}
