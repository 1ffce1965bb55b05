//! nginx: TLS and HTTP/2 in front, HTTP/1.1 behind.

use std::time::Duration;

use tower_websocket::{CloseCode, ForwardedHeader, OriginPolicy, Shutdown, Upgrader};

use crate::backend::{Backend, Came};
use crate::proxy::Proxy;
use crate::{backend, client, connect, is_served_over};

/// One process, which stays in front and keeps all its files in its own directory. `HEADERS` are those that it sets.
const CONFIGURATION: &str = "
daemon off;
master_process off;
pid DIRECTORY/pid;
error_log stderr crit;
events {}
http {
    access_log off;
    client_body_temp_path DIRECTORY/body;
    proxy_temp_path DIRECTORY/proxy;
    fastcgi_temp_path DIRECTORY/fastcgi;
    uwsgi_temp_path DIRECTORY/uwsgi;
    scgi_temp_path DIRECTORY/scgi;
    map $http_upgrade $connection_upgrade {
        default upgrade;
        '' close;
    }
    server {
        listen 127.0.0.1:PORT ssl http2;
        ssl_certificate PEM;
        ssl_certificate_key PEM;
        location / {
            proxy_pass http://BACKEND;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Front $server_protocol;
            HEADERS
        }
    }
}
";

async fn nginx(headers: &str, backend: &Backend) -> Option<Proxy> {
    let arguments = ["-c", "DIRECTORY/configuration", "-e", "DIRECTORY/log"];
    Proxy::start("nginx", &arguments, &CONFIGURATION.replace("HEADERS", headers), backend).await
}

#[tokio::test]
async fn with_the_host_passed_on_nothing_has_to_be_trusted() {
    let shutdown = Shutdown::new();
    let backend = backend::start(Upgrader::new().shutdown(&shutdown)).await;
    let Some(proxy) = nginx("proxy_set_header Host $host;", &backend).await else { return };
    // nginx offers HTTP/2 without WebSockets over it: the client falls back to HTTP/1.1.
    for connector in [client(&proxy.trust), client(&proxy.trust).http2()] {
        let ws = connect(&connector, proxy.port).await.unwrap();
        is_served_over(&ws, "HTTP/1.1", Came::ByUpgrade).await;
        ws.close().await.unwrap();
    }
    let ws = connect(&client(&proxy.trust), proxy.port).await.unwrap();
    is_served_over(&ws, "HTTP/1.1", Came::ByUpgrade).await;
    assert_eq!(shutdown.close_all(CloseCode::SERVICE_RESTART, "restarting", Duration::from_secs(10)).await, 0);
    assert_eq!(ws.done().await.unwrap().code(), CloseCode::SERVICE_RESTART);
}

#[tokio::test]
async fn without_the_host_the_origin_is_refused_until_the_proxy_is_trusted() {
    let plain = OriginPolicy::same_origin;
    for (header, set) in [
        (
            ForwardedHeader::XForwarded,
            "proxy_set_header X-Forwarded-Host $host; proxy_set_header X-Forwarded-Proto $scheme;",
        ),
        (ForwardedHeader::Forwarded, "proxy_set_header Forwarded \"for=$remote_addr;host=$host;proto=$scheme\";"),
    ] {
        for (policy, accepted) in [
            (plain(), false),
            (plain().trusted_proxies(header, ["192.0.2.0/24"]).unwrap(), false),
            (plain().trusted_proxies(header, ["127.0.0.0/8"]).unwrap(), true),
        ] {
            let backend = backend::start(Upgrader::new().origin(policy.clone())).await;
            let Some(proxy) = nginx(set, &backend).await else { return };
            // What the client says itself, the proxy replaces.
            let connector = client(&proxy.trust)
                .header("x-forwarded-host".parse().unwrap(), "evil.example".parse().unwrap())
                .header("forwarded".parse().unwrap(), "host=evil.example".parse().unwrap());
            match connect(&connector, proxy.port).await {
                Ok(ws) if accepted => _ = is_served_over(&ws, "HTTP/1.1", Came::ByUpgrade).await,
                Err(error) if !accepted => assert_eq!(error.response().unwrap().status(), 403),
                other => panic!("{policy:?}: {other:?}"),
            }
        }
    }
}
