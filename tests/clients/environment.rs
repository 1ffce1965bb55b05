//! What the environment says counts where it is asked, and only there. As it belongs to the whole process, each of these
//! tests runs its client in another one: this program again, for the test `client`.

use std::env;
use std::process::Stdio;

use tokio::process::Command;
use tokio::time::timeout;
use tower_websocket::{Connector, Message, Proxy as Setting};

use crate::PATIENCE;
use crate::proxy::Proxy;
use crate::server::{Act, Server};

/// Runs [`client`] with this environment, and whether it succeeded.
async fn run(url: &str, variables: &[(&str, &str)]) -> bool {
    let mut command = Command::new(env::current_exe().unwrap());
    for name in ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUEST_METHOD", "SSL_CERT_DIR"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.args(["--exact", "environment::client", "--ignored"]).env("URL", url);
    command.envs(variables.iter().copied()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    timeout(PATIENCE, command.status()).await.unwrap().unwrap().success()
}

#[tokio::test]
#[ignore = "it is the client of the other tests"]
async fn client() {
    let mut connector = Connector::new();
    if env::var_os("ASK").is_some() {
        let mut proxy = Setting::from_env();
        if let Ok(direct) = env::var("DIRECT") {
            proxy = proxy.no_proxy(&direct).unwrap();
        }
        connector = connector.proxy(proxy);
    }
    if env::var_os("SSL_CERT_FILE").is_some() {
        connector = connector.tls_platform_verifier().unwrap();
    }
    let ws = connector.connect(env::var("URL").unwrap()).await.unwrap();
    ws.send("hello").await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text("hello")));
}

#[tokio::test]
async fn the_proxies_of_the_environment_count_where_they_are_asked_for() {
    let http = Proxy::http(None).await;
    let socks = Proxy::socks5(None).await;
    let server = Server::start(|_| Act::Echo).await;
    let (url, target) = (server.url(), server.address.to_string());
    let (by_http, by_socks) = (format!("http://{}", http.address), format!("socks5h://{}", socks.address));

    assert!(run(&url, &[("HTTP_PROXY", &by_http), ("ALL_PROXY", &by_http)]).await);
    assert!(http.asked().is_empty());

    assert!(run(&url, &[("ASK", "1"), ("HTTP_PROXY", &by_http), ("ALL_PROXY", &by_socks)]).await);
    assert_eq!((http.asked(), socks.asked()), (vec![target.clone()], vec![]));

    assert!(run(&url, &[("ASK", "1"), ("https_proxy", &by_http), ("all_proxy", &by_socks)]).await);
    assert_eq!((http.asked(), socks.asked()), (vec![], vec![target]));

    for (name, value) in
        [("NO_PROXY", "127.0.0.1"), ("no_proxy", "a, *"), ("DIRECT", "127.0.0.0/8"), ("REQUEST_METHOD", "GET")]
    {
        assert!(run(&url, &[("ASK", "1"), ("HTTP_PROXY", &by_http), (name, value)]).await, "{name}");
        assert!(http.asked().is_empty(), "{name}");
    }
    // What the program names comes on top of what the environment names.
    let more = [("ASK", "1"), ("HTTP_PROXY", &*by_http), ("NO_PROXY", "127.0.0.1"), ("DIRECT", "elsewhere.example")];
    assert!(run(&url, &more).await);
    assert!(http.asked().is_empty());

    // A proxy that cannot be used is not passed by.
    for unusable in ["socks4://127.0.0.1:9", "socks://127.0.0.1:9", "htp://127.0.0.1:9", "http://a b"] {
        for name in ["ALL_PROXY", "http_proxy"] {
            assert!(!run(&url, &[("ASK", "1"), (name, unusable)]).await, "{name}={unusable}");
        }
        for (name, value) in
            [("NO_PROXY", "127.0.0.1"), ("no_proxy", "a, *"), ("DIRECT", "127.0.0.0/8"), ("REQUEST_METHOD", "GET")]
        {
            assert!(run(&url, &[("ASK", "1"), ("HTTP_PROXY", unusable), (name, value)]).await, "{name} {unusable}");
        }
        assert!(run(&url, &[("ASK", "1"), ("HTTPS_PROXY", unusable)]).await, "it is for others");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_platforms_certificates_are_trusted_where_they_are_asked_for() {
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = tokio_rustls::rustls::crypto::ring::default_provider();
    let config = ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let server = Server::start_with(Some(TlsAcceptor::from(std::sync::Arc::new(config))), |_| Act::Echo).await;
    let url = format!("wss://localhost:{}/", server.address.port());

    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = env::temp_dir().join(format!("tower-websocket-{}.pem", std::process::id()));
    for (pem, trusted) in [(certified.cert.pem(), true), (other.cert.pem(), false)] {
        std::fs::write(&file, pem).unwrap();
        assert_eq!(run(&url, &[("SSL_CERT_FILE", file.to_str().unwrap())]).await, trusted);
    }
    std::fs::remove_file(&file).unwrap();
    // The roots that are built in do not know it.
    assert!(!run(&url, &[]).await);
}
