//! Through proxies as Debian has them: tinyproxy for HTTP, Dante and microsocks for SOCKS5.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use tokio::time::timeout;
use tower_websocket::{Backoff, CloseCode, Connector, Error, ErrorKind, Manager, Message, Proxy as Setting};

use crate::PATIENCE;
use crate::program::Program;
use crate::server::{Act, Server};
use crate::tls::certified;

/// Servers that echo, with and without TLS, and one to which no proxy leads.
struct Servers {
    plain: Server,
    secure: Server,
    forbidden: Server,
    connector: Connector,
}

impl Servers {
    async fn start() -> Self {
        let (acceptor, config) = certified(&["http/1.1"]);
        Self {
            plain: Server::start(|_| Act::Echo).await,
            secure: Server::start_with(Some(acceptor), |_| Act::Echo).await,
            forbidden: Server::start(|_| Act::Echo).await,
            connector: Connector::new().tls_config(config),
        }
    }

    fn through(&self, proxy: &str) -> Connector {
        self.connector.clone().proxy(Setting::all(proxy).unwrap())
    }

    /// Everything that a session does, over both kinds of URL.
    async fn are_reached_through(&self, proxy: &str) {
        let connector = self.through(proxy);
        for (scheme, server) in [("ws", &self.plain), ("wss", &self.secure)] {
            for host in ["127.0.0.1", "localhost"] {
                let url = format!("{scheme}://{host}:{}/", server.address.port());
                let ws = timeout(PATIENCE, connector.connect(&*url)).await.unwrap().unwrap();
                echoes(&ws).await.unwrap();
                ws.close().await.unwrap();
                assert_eq!(ws.done().await.unwrap().code(), CloseCode::NORMAL, "{url} through {proxy}");
            }
        }
    }

    /// No attempt reaches a server, and no second one is made.
    async fn are_refused_by(&self, proxy: &str, server: &Server) -> io::Error {
        let arrivals = server.arrivals().len();
        let backoff = Backoff::default().initial(Duration::from_millis(1)).max_failures(1000);
        let mut sessions = self.through(proxy).sessions(server.url(), backoff);
        let error = timeout(PATIENCE, sessions.next()).await.expect("it is not tried again").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{proxy}: {error:?}");
        assert!(!error.is_retryable(), "{proxy}: {error:?}");
        assert!(sessions.next().await.unwrap().is_none());
        assert_eq!(server.arrivals().len(), arrivals);
        let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        io::Error::new(source.kind(), source.to_string())
    }
}

async fn echoes(ws: &Manager) -> Result<(), Error> {
    for message in [Message::text("hello"), Message::binary(vec![7; 500_000]), Message::text("x".repeat(100_000))] {
        ws.send(&message).await?;
        assert_eq!(ws.recv().await?, Some(message));
    }
    Ok(())
}

/// tinyproxy, which tunnels to these servers alone, for clients with this user and password.
async fn tinyproxy(servers: &Servers, user: Option<&str>) -> Option<Program> {
    let user = user.map_or(String::new(), |user| format!("BasicAuth {user}\n"));
    let (plain, secure) = (servers.plain.address.port(), servers.secure.address.port());
    let configuration = format!(
        "Port PORT\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nLogFile \"DIRECTORY/log\"\nPidFile \"DIRECTORY/pid\"\n\
         {user}ConnectPort {plain}\nConnectPort {secure}\n"
    );
    Program::start("tinyproxy", &["-d", "-c", "DIRECTORY/configuration"], &[("configuration", &configuration)]).await
}

/// Dante, which leads to these servers alone. It knows the users of the system, so that it is asked for none here.
async fn dante(servers: &Servers) -> Option<Program> {
    let mut configuration = "logoutput: DIRECTORY/log\nerrorlog: DIRECTORY/log\ninternal: 127.0.0.1 port = PORT\n\
                             external: lo\nclientmethod: none\nsocksmethod: none\n\
                             client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }\n"
        .to_owned();
    for server in [&servers.plain, &servers.secure] {
        let port = server.address.port();
        configuration +=
            &format!("socks pass {{ from: 127.0.0.0/8 to: 127.0.0.1/32 port = {port} command: connect }}\n");
    }
    let arguments = ["-f", "DIRECTORY/configuration", "-p", "DIRECTORY/pid"];
    Program::start("danted", &arguments, &[("configuration", &configuration)]).await
}

#[tokio::test]
async fn tinyproxy_tunnels_for_everybody() {
    let servers = Servers::start().await;
    let Some(proxy) = tinyproxy(&servers, None).await else { return };
    let url = format!("http://127.0.0.1:{}", proxy.port);
    servers.are_reached_through(&url).await;
    // A password that nobody asks for does no harm.
    servers.are_reached_through(&format!("http://user:secret@127.0.0.1:{}", proxy.port)).await;

    let refusal = servers.are_refused_by(&url, &servers.forbidden).await;
    assert_eq!(refusal.kind(), io::ErrorKind::PermissionDenied);
    assert_eq!(refusal.to_string(), "the proxy answered 403 Forbidden");
}

#[tokio::test]
async fn tinyproxy_tunnels_for_those_who_know_the_password() {
    let servers = Servers::start().await;
    let Some(proxy) = tinyproxy(&servers, Some("user s3cret")).await else { return };
    servers.are_reached_through(&format!("http://user:s3cret@127.0.0.1:{}", proxy.port)).await;

    for (user, answer) in [
        ("", "407 Proxy Authentication Required"),
        // Where a client is known to have tried, tinyproxy speaks as a server does.
        ("user:wrong@", "401 Unauthorized"),
        ("other:s3cret@", "401 Unauthorized"),
    ] {
        let url = format!("http://{user}127.0.0.1:{}", proxy.port);
        let refusal = servers.are_refused_by(&url, &servers.plain).await;
        assert_eq!(refusal.kind(), io::ErrorKind::PermissionDenied, "{user}");
        assert_eq!(refusal.to_string(), format!("the proxy answered {answer}"), "{user}");
    }
}

#[tokio::test]
async fn dante_leads_where_it_is_allowed_to() {
    let servers = Servers::start().await;
    let Some(proxy) = dante(&servers).await else { return };
    for scheme in ["socks5", "socks5h"] {
        let url = format!("{scheme}://127.0.0.1:{}", proxy.port);
        servers.are_reached_through(&url).await;
        let refusal = servers.are_refused_by(&url, &servers.forbidden).await;
        assert_eq!(refusal.kind(), io::ErrorKind::PermissionDenied, "{scheme}");
    }
    // It is asked for a method that it does not have.
    let url = format!("socks5h://user:s3cret@127.0.0.1:{}", proxy.port);
    let refusal = servers.are_refused_by(&url, &servers.plain).await;
    assert_eq!(refusal.kind(), io::ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn microsocks_lets_those_through_who_know_the_password() {
    let servers = Servers::start().await;
    let arguments = ["-i", "127.0.0.1", "-p", "PORT", "-u", "user", "-P", "s3cret"];
    let Some(proxy) = Program::start("microsocks", &arguments, &[]).await else { return };
    for scheme in ["socks5", "socks5h"] {
        servers.are_reached_through(&format!("{scheme}://user:s3cret@127.0.0.1:{}", proxy.port)).await;
        for user in ["", "user:wrong@", "other:s3cret@"] {
            let url = format!("{scheme}://{user}127.0.0.1:{}", proxy.port);
            let refusal = servers.are_refused_by(&url, &servers.plain).await;
            assert_eq!(refusal.kind(), io::ErrorKind::PermissionDenied, "{url}");
        }
    }
}
