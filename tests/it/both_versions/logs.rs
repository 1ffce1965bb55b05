//! What a reader of the log at level info learns while things go wrong, and what is no news.

use std::net::SocketAddr;

use axum::Extension;
use http::{Request, Uri, Version};
use http_body_util::Empty;
use serde::Deserialize;
use tower::ServiceBuilder;
use tower_websocket::testing::{TestClient, pair};
use tower_websocket::{
    BoxError, CloseCode, CloseFrame, Error, ForwardedHeader, HandlerOutput, Manager, OriginPolicy, Upgrader,
    WebSocketLayer,
};

use super::support::{Frame, Peer, close, quiet, secs, serve, status, text};
// One subscriber serves all: there is one for a process.
use crate::support::Lines;

/// A connection to this handler; what is logged from here on.
async fn open<H, F>(handler: H) -> (Peer, Lines)
where
    H: Fn(Manager) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutput> + Send + 'static,
{
    let lines = Lines::default();
    lines.subscribe();
    let mut peer = serve(WebSocketLayer::new(handler).upgrader(quiet()).into_service());
    peer.handshake("").await;
    (peer, lines)
}

/// What is logged at level info and above until all has come to rest.
async fn news(lines: &Lines) -> String {
    tokio::time::sleep(secs(60)).await;
    let said = lines.take();
    said.lines().filter(|line| !line.contains("DEBUG")).collect::<Vec<_>>().join("\n")
}

#[derive(Debug, Deserialize)]
struct Call {
    #[expect(dead_code, reason = "it is never there")]
    method: String,
}

async fn rpc(ws: Manager) -> Result<(), Error> {
    loop {
        ws.read_json::<Call>(secs(1000)).await?;
    }
}

#[tokio::test(start_paused = true)]
async fn a_handlers_error_is_a_warning_with_all_its_causes() {
    let (mut peer, lines) = open(rpc).await;
    peer.send(text("{}")).await;
    peer.expect_close(1011).await;
    peer.send(close(1011, "")).await;
    let said = news(&lines).await;
    assert!(said.contains(" WARN ") && said.contains("handler failed"), "{said}");
    assert!(said.contains("could not decode message: missing field `method` at line 1 column 2"), "{said}");
    assert!(said.contains("path=\"/ws\""), "{said}");

    let (mut peer, lines) = open(|_: Manager| async {
        Err::<(), _>(
            anyhow::Error::from(std::io::Error::other("disk is full")).context("no history").context("no room"),
        )
    })
    .await;
    peer.expect_close(1011).await;
    let said = news(&lines).await;
    assert!(said.contains("error=no room: no history: disk is full"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_normal_close_as_a_handlers_error_is_logged_at_debug() {
    for (code, is_normal) in [(1000, true), (1001, true), (1008, false), (1011, false), (4000, false)] {
        for way in 0..3 {
            let (mut peer, lines) = open(move |_: Manager| async move {
                let frame = CloseFrame::new(CloseCode::new(code).unwrap(), "done");
                Err::<(), BoxError>(match way {
                    0 => frame.into(),
                    1 => Error::from(frame).into(),
                    _ => anyhow::Error::from(Error::from(frame)).context("bye").into(),
                })
            })
            .await;
            assert_eq!(peer.expect_close(code).await, "done");
            peer.send(close(code, "")).await;
            drop(peer);
            tokio::time::sleep(secs(60)).await;
            let said = lines.take();
            assert_eq!(said.contains(" WARN ") && said.contains("handler failed"), !is_normal, "{code} {way}: {said}");
            assert_eq!(said.contains("handler ended with a normal close"), is_normal, "{code} {way}: {said}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_leaves_is_not_logged_as_a_failure() {
    // However it leaves, and whatever the handler waits in.
    for leave in ["close", "close with a code", "vanish"] {
        for wait in 0..6 {
            let (mut peer, lines) = open(move |ws: Manager| async move {
                let ended = |error: Error| match wait {
                    4 => anyhow::Error::from(error).into(),
                    5 => BoxError::from(anyhow::Error::from(std::io::Error::from(error)).context("rpc")),
                    _ => error.into(),
                };
                match wait {
                    0 | 4 | 5 => rpc(ws).await,
                    1 => ws.recv_timeout(secs(1000)).await.map(drop),
                    2 => ws.read_binary(secs(1000)).await.map(drop),
                    _ => loop {
                        ws.send("x").await?;
                        tokio::time::sleep(secs(1)).await;
                    },
                }
                .map_err(ended)
            })
            .await;
            match leave {
                "close" => peer.send(close(1000, "")).await,
                "close with a code" => peer.send(close(4000, "bye")).await,
                _ => {}
            }
            drop(peer);
            let said = news(&lines).await;
            assert_eq!(said, "", "{leave} {wait}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_and_the_end_of_a_lifetime_are_not_logged_as_failures() {
    let shutdown = tower_websocket::Shutdown::new();
    let lines = Lines::default();
    lines.subscribe();
    let limits = tower_websocket::Limits::default().max_lifetime(secs(5));
    let layer = WebSocketLayer::new(rpc).shutdown(&shutdown).upgrader(quiet().limits(limits));
    let service = layer.into_service();
    let mut first = serve(service.clone());
    first.handshake("").await;
    first.expect_close(1001).await;
    drop(first);
    let mut second = serve(service);
    second.handshake("").await;
    shutdown.close_all(CloseCode::GOING_AWAY, "", secs(1)).await;
    assert_eq!(news(&lines).await, "");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_leaves_is_a_failure_of_the_handler() {
    let (mut peer, lines) = open(|ws: Manager| async move {
        let (upstream, other) = pair(quiet());
        other.close().await?;
        while let Some(message) = ws.recv().await? {
            upstream.send(message).await?;
        }
        Ok::<_, Error>(())
    })
    .await;
    peer.send(text("hello")).await;
    peer.expect_close(1011).await;
    let said = news(&lines).await;
    assert!(said.contains(" WARN ") && said.contains("handler failed error=connection is closed: code 1000"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_breaks_the_rules_is_named() {
    let (mut peer, lines) = open(rpc).await;
    peer.send(Frame::new(0x83, "x")).await;
    peer.expect_close(1002).await;
    drop(peer);
    let said = news(&lines).await;
    assert!(said.contains(" WARN ") && said.contains("error=peer broke the protocol: "), "{said}");

    // The handler need not tell.
    let (mut peer, lines) = open(|ws: Manager| async move { while let Ok(Some(_)) = ws.recv().await {} }).await;
    peer.send(Frame::new(0x83, "x")).await;
    peer.expect_close(1002).await;
    drop(peer);
    let said = news(&lines).await;
    assert!(said.contains(" INFO ") && said.contains("failed error=peer broke the protocol: "), "{said}");
}

#[tokio::test(start_paused = true)]
async fn text_of_a_peer_stays_in_its_log_line() {
    let (mut peer, lines) = open(|ws: Manager| async move {
        let text = ws.recv().await?.and_then(|message| Some(message.as_text()?.to_owned())).unwrap_or_default();
        Err::<(), tower_websocket::BoxError>(format!("bad name {text}").into())
    })
    .await;
    peer.send(text("x\nERROR all is lost \u{1b}[31m")).await;
    peer.expect_close(1011).await;
    let said = news(&lines).await;
    assert_eq!(said.lines().count(), 1, "{said}");

    let (mut peer, lines) = open(|ws: Manager| async move { ws.recv().await.map(drop) }).await;
    peer.send(close(1000, "bye\nERROR all is lost")).await;
    peer.expect_close(1000).await;
    drop(peer);
    tokio::time::sleep(secs(60)).await;
    let said = lines.take();
    let closed: Vec<_> = said.lines().filter(|line| line.contains("closed frame=")).collect();
    assert_eq!(closed.len(), 1, "{said}");
    assert!(closed[0].ends_with("bye\\nERROR all is lost"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_chosen_close_frame_is_logged_too() {
    let (mut peer, lines) = open(|_: Manager| async {
        Err::<(), Error>(CloseFrame::new(CloseCode::POLICY_VIOLATION, "token expired").into())
    })
    .await;
    peer.expect_close(1008).await;
    let said = news(&lines).await;
    assert!(said.contains("code 1008, token expired"), "{said}");
}

/// The answer to a handshake with these header lines from a server with this policy, and what is logged of it.
async fn refused(upgrader: Upgrader, host: &str, more: &str) -> String {
    let lines = Lines::default();
    lines.subscribe();
    let echo = WebSocketLayer::new(|_: Manager| async {}).upgrader(upgrader).into_service();
    let service = ServiceBuilder::new().layer(Extension(SocketAddr::from(([192, 0, 2, 1], 4711)))).service(echo);
    serve(service).try_handshake(host, "/ws", more).await;
    news(&lines).await
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_origin_names_origin_host_and_policy() {
    let list = OriginPolicy::list(["https://app.example.com", "https://*.partner.example:8443"]).unwrap();
    for (policy, origin, shown) in [
        (OriginPolicy::same_host(), "https://evil.example", "policy=same_host"),
        (OriginPolicy::same_origin(), "null", "policy=same_origin"),
        (list, "https://evil.example", "policy=list of https://app.example.com, https://*.partner.example:8443"),
        (
            OriginPolicy::same_host().allowed_hosts(["localhost:3000", "*.a.example"]).unwrap().require_origin(),
            "https://evil.example",
            "policy=same_host, allowed_hosts localhost:3000, *.a.example, require_origin",
        ),
        (OriginPolicy::predicate(|_| false), "https://evil.example", "policy=predicate"),
    ] {
        let said = refused(quiet().origin(policy), "api.example", &format!("Origin: {origin}\r\n")).await;
        assert!(said.contains(" WARN ") && said.contains("handshake refused: "), "{said}");
        let may_be_a_proxy = shown.starts_with("policy=same") && !shown.contains("allowed_hosts") && origin != "null";
        assert_eq!(said.contains("proxy_set_header Host"), may_be_a_proxy, "{said}");
        for part in ["status=403", "path=\"/ws\"", "peer=192.0.2.1:4711", "host=\"api.example\"", shown] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(said.contains(&format!("origin=\"{origin}\"")), "{said}");
    }
    // The page is of a host that is allowed: a proxy may have named its own in place of that.
    for (origin, more, may_be_a_proxy) in [
        ("https://app.example", "", true),
        ("https://app.example:8443", "", true),
        ("https://app.example", "Sec-Fetch-Site: cross-site\r\n", false),
        ("https://evil.example", "", false),
        ("https://127.0.0.1:8080", "", false),
        ("app://app.example", "", false),
        ("null", "", false),
    ] {
        for policy in [OriginPolicy::same_host(), OriginPolicy::insecure_any()] {
            let policy = policy.allowed_hosts(["app.example", "*.a.example"]).unwrap();
            let more = format!("Origin: {origin}\r\n{more}");
            let said = refused(quiet().origin(policy), "127.0.0.1:8080", &more).await;
            assert!(said.contains(" WARN ") && said.contains("allowed_hosts app.example"), "{said}");
            assert_eq!(said.contains("proxy_set_header Host"), may_be_a_proxy, "{origin}: {said}");
        }
    }
    let proxies = ["192.0.2.0/24", "::1"];
    let policy = OriginPolicy::same_host().trusted_proxies(ForwardedHeader::XForwarded, proxies).unwrap();
    let more = "X-Forwarded-Host: app.example\r\nOrigin: https://evil.example\r\n";
    let said = refused(quiet().origin(policy), "api.example", more).await;
    assert!(said.contains("policy=same_host, trusted_proxies 192.0.2.0/24, ::1/128"), "{said}");
    assert!(said.contains("host=\"app.example\""), "{said}");
    // The address that the log shows is not the one that is trusted.
    let policy = OriginPolicy::same_host().trusted_proxies(ForwardedHeader::XForwarded, ["192.0.2.0/24"]).unwrap();
    let upgrader = quiet().origin(policy).peer_addr(|_| Some(SocketAddr::from(([192, 0, 2, 1], 1))));
    let lines = Lines::default();
    lines.subscribe();
    let service = WebSocketLayer::new(|_: Manager| async {}).upgrader(upgrader).into_service();
    let more = "X-Forwarded-Host: app.example\r\nOrigin: https://app.example\r\n";
    serve(service).try_handshake("api.example", "/ws", more).await;
    let said = news(&lines).await;
    assert!(said.contains("peer=192.0.2.1:1") && said.contains("have no `SocketAddr`"), "{said}");
    let long = format!("Origin: https://{}.example\r\n", "x".repeat(5000));
    let said = refused(quiet(), "api.example", &long).await;
    assert!(said.contains("xx..\"") && said.len() < 1000, "{said}");
}

#[tokio::test(start_paused = true)]
async fn every_other_refusal_is_logged_with_its_reason() {
    let said = refused(quiet(), "api.example", "Sec-WebSocket-Protocol: a b\r\n").await;
    assert!(said.contains(" INFO ") && said.contains("status=400"), "{said}");
    assert!(said.contains("handshake refused: Sec-WebSocket-Protocol must be a list of tokens"), "{said}");

    let lines = Lines::default();
    lines.subscribe();
    let layer = WebSocketLayer::new(|_: Manager| async {}).max_connections(0).into_service();
    assert_eq!(TestClient::new(layer).connect("/ws").await.unwrap_err().status(), 503);
    let said = news(&lines).await;
    assert!(said.contains(" WARN ") && said.contains("too many WebSocket connections are open"), "{said}");

    // Without the layer too.
    let mut request = Request::get("/ws").header("host", "h").header("connection", "upgrade");
    request = request.header("upgrade", "websocket").header("sec-websocket-version", "8");
    let mut request = request.body(()).unwrap();
    Upgrader::new().upgrade::<_, ()>(&mut request).unwrap_err();
    let said = lines.take();
    assert!(said.contains(" INFO ") && said.contains("Sec-WebSocket-Version must be 13"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_too_many_connections_of_a_key_is_logged_with_the_peer() {
    let upgrader = quiet().max_connections_per_key(0, |_| Some(()));
    let said = refused(upgrader, "api.example", "").await;
    assert!(said.contains(" WARN ") && said.contains("status=429") && said.contains("peer=192.0.2.1:4711"), "{said}");
    assert!(said.contains("too many WebSocket connections of this client are open"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_names_peer_and_path_as_the_spans_of_connections_do() {
    #[derive(Clone)]
    struct Original(Uri, SocketAddr);

    let original = Original("/outer/ws".parse().unwrap(), SocketAddr::from(([192, 0, 2, 2], 42)));
    let upgrader = quiet()
        .original_uri(|request| request.extensions.get::<Original>().map(|original| &original.0))
        .peer_addr(|request| request.extensions.get::<Original>().map(|original| original.1));
    let lines = Lines::default();
    lines.subscribe();
    let layer = WebSocketLayer::new(|_: Manager| async {}).upgrader(upgrader).into_service();
    let service = ServiceBuilder::new().layer(Extension(original)).service(layer);
    serve(service).try_handshake("api.example", "/ws", "Origin: https://evil.example\r\n").await;
    let said = news(&lines).await;
    assert!(said.contains("peer=192.0.2.2:42") && said.contains("path=\"/outer/ws\""), "{said}");
}

/// The whole line, with what it repeats for each span around it, is of bounded length.
#[tokio::test(start_paused = true)]
async fn what_a_client_chooses_is_cut_in_the_span_of_its_connection() {
    let long = "x".repeat(5000);
    let lines = Lines::default();
    lines.subscribe();
    let upgrader = quiet().select_subprotocol(|offered| offered.first().map(ToString::to_string));
    let layer = WebSocketLayer::new(|ws: Manager| async move { ws.recv_json::<u8>().await.map(drop) });
    let mut peer = serve(layer.upgrader(upgrader).into_service());
    let offer = format!("Sec-WebSocket-Protocol: {long}\r\n");
    let head = peer.try_handshake("localhost", &format!("/{long}"), &offer).await;
    assert!(matches!(status(&head), 101 | 200), "{head}");
    // serde's error repeats what it has read.
    peer.send(text(format!("\"{long}\""))).await;
    peer.expect_close(1011).await;
    peer.send(close(1011, "")).await;
    tokio::time::sleep(secs(60)).await;
    let said = lines.take();
    assert!(said.contains("could not decode message: invalid type: string"), "{said}");
    for line in said.lines().filter(|line| line.contains("websocket{")) {
        assert!(line.len() < 2000, "{}: {line}", line.len());
        assert!(line.contains("path=\"/xxx") && line.contains("subprotocol=\"xxx"), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_passes_no_upgrade_on_is_named() {
    let lines = Lines::default();
    lines.subscribe();
    let client = TestClient::new(WebSocketLayer::new(|_: Manager| async {}).into_service());
    let request = Request::get("/ws").version(Version::HTTP_10).header("sec-websocket-key", "x");
    let response = client.call(request.body(Empty::<bytes::Bytes>::new()).unwrap()).await;
    assert_eq!(response.status(), 426);
    let said = lines.take();
    assert!(said.lines().count() == 1 && said.contains(" INFO ") && said.contains("path=\"/ws\""), "{said}");
    assert!(said.contains("a proxy has not passed its Connection and Upgrade headers on"), "{said}");
    // A browser that looks at the address as a page is no news.
    let response = client.call(Request::get("/ws").body(Empty::<bytes::Bytes>::new()).unwrap()).await;
    assert_eq!((response.status().as_u16(), lines.take()), (426, String::new()));
}

#[tokio::test(start_paused = true)]
async fn many_websockets_on_one_http2_connection_are_named_once() {
    let lines = Lines::default();
    lines.subscribe();
    let peer = if super::VERSION == Version::HTTP_2 { [192, 0, 2, 2] } else { [192, 0, 2, 1] };
    let echo = WebSocketLayer::new(|ws: Manager| async move { ws.done().await.map(drop) }).upgrader(quiet());
    let service = ServiceBuilder::new().layer(Extension(SocketAddr::from((peer, 4711)))).service(echo.into_service());
    let mut client = TestClient::new(service).config(quiet().get_config().clone());
    if super::VERSION == Version::HTTP_2 {
        client = client.http2();
    }
    let mut sockets = Vec::new();
    for _ in 0..120 {
        sockets.push(client.connect("/ws").await.unwrap());
    }
    let said = news(&lines).await;
    if super::VERSION == Version::HTTP_2 {
        assert_eq!(said.lines().count(), 1, "{said}");
        for part in [" WARN ", "peer=192.0.2.2:4711", "open=100", "host=localhost", "max_concurrent_streams"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    } else {
        assert_eq!(said, "");
    }
}
