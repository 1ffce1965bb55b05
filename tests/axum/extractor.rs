//! The extractor within axum: other extractors, options, subprotocols, and what the span says.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRef, FromRequestParts, OriginalUri, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Extension, Router};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Empty;
use tower_websocket::axum::{WebSocketRejection, WebSocketUpgrade};
use tower_websocket::testing::TestClient;
use tower_websocket::{
    Keepalive, Limits, Manager, Message, OriginPolicy, RejectionKind, Shutdown, Upgrader, WebSocketConfig,
};

use crate::echo::echo;

#[path = "../it/support/lines.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod lines;

#[derive(Clone)]
struct App {
    handled: Arc<AtomicUsize>,
    chat: Upgrader,
    admin: Upgrader,
}

#[derive(Clone)]
struct Admin(Upgrader);

impl FromRef<App> for Admin {
    fn from_ref(app: &App) -> Self {
        Self(app.admin.clone())
    }
}

impl From<Admin> for Upgrader {
    fn from(admin: Admin) -> Self {
        admin.0
    }
}

impl FromRef<App> for Upgrader {
    fn from_ref(app: &App) -> Self {
        app.chat.clone()
    }
}

/// A room with everything that axum's handlers have.
async fn room(
    ws: WebSocketUpgrade<Upgrader>,
    Path(id): Path<u64>,
    Query(query): Query<std::collections::HashMap<String, String>>,
    State(app): State<App>,
) -> Result<Response, StatusCode> {
    app.handled.fetch_add(1, Ordering::Relaxed);
    if query.get("token").map(String::as_str) != Some("secret") {
        return Err(StatusCode::UNAUTHORIZED);
    }
    Ok(ws.on_upgrade(move |ws| async move {
        ws.send(format!("room {id}")).await?;
        echo(ws).await
    }))
}

fn app() -> (TestClient<Router>, App, Shutdown) {
    let shutdown = Shutdown::new();
    let app = App {
        handled: Arc::default(),
        chat: Upgrader::new().shutdown(&shutdown),
        admin: Upgrader::new().origin(OriginPolicy::same_host().require_origin()),
    };
    let admin = get(|ws: WebSocketUpgrade<Admin>| async { ws.on_upgrade(echo) });
    let router = Router::new().route("/rooms/{id}", any(room)).route("/admin", admin).with_state(app.clone());
    (TestClient::new(router), app, shutdown)
}

#[tokio::test(start_paused = true)]
async fn a_handler_has_state_path_and_query() {
    let (client, app, _) = app();
    for client in [client.clone(), client.http2()] {
        let ws = client.connect("/rooms/7?token=secret").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("room 7")));
        assert_eq!(ws.request().uri.path(), "/rooms/7");
    }
    assert_eq!(app.handled.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn what_the_handler_or_another_extractor_refuses_opens_nothing() {
    let (client, _, shutdown) = app();
    for (path, status) in [("/rooms/7", 401), ("/rooms/seven?token=secret", 400), ("/elsewhere", 404)] {
        let refused = client.connect(path).await.unwrap_err();
        assert_eq!(refused.status(), status, "{path}");
        assert_eq!(shutdown.connections(), 0, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_handshake_never_reaches_the_handler() {
    let (client, app, _) = app();
    let evil = Request::get("/rooms/7?token=secret").header("origin", "https://evil.example");
    let refused = client.open(evil.body(Empty::<Bytes>::new()).unwrap()).await.unwrap_err();
    assert_eq!(refused.status(), 403);
    let plain = client.call(Request::get("/rooms/7").body(Empty::<Bytes>::new()).unwrap()).await;
    assert_eq!(plain.status(), 426);
    assert_eq!(app.handled.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn each_route_may_have_settings_of_its_own() {
    let (client, ..) = app();
    assert_eq!(client.connect("/admin").await.unwrap_err().status(), 403);
    let request = Request::get("/admin").header("origin", "http://localhost").body(Empty::<Bytes>::new()).unwrap();
    client.open(request).await.unwrap();
}

/// The traps that the guide warns of.
#[tokio::test(start_paused = true)]
async fn a_plain_extractor_does_not_look_into_the_state_and_a_new_upgrader_has_its_own_counts() {
    #[derive(Clone)]
    struct Anew;

    impl FromRef<Anew> for Upgrader {
        fn from_ref(_: &Anew) -> Self {
            Self::new().max_connections(1)
        }
    }

    #[derive(Clone)]
    struct Kept(Upgrader);

    impl FromRef<Kept> for Upgrader {
        fn from_ref(kept: &Kept) -> Self {
            kept.0.clone()
        }
    }

    async fn plain(ws: WebSocketUpgrade) -> Response {
        ws.on_upgrade(echo)
    }
    async fn named(ws: WebSocketUpgrade<Upgrader>) -> Response {
        ws.on_upgrade(echo)
    }

    let kept = || Kept(Upgrader::new().max_connections(1));
    for (router, limited) in [
        (Router::new().route("/", any(plain)).with_state(kept()), false),
        (Router::new().route("/", any(named)).with_state(Anew), false),
        (Router::new().route("/", any(named)).with_state(kept()), true),
    ] {
        let client = TestClient::new(router);
        let _first = client.connect("/").await.unwrap();
        assert_eq!(client.connect("/").await.is_err(), limited);
    }
}

#[tokio::test(start_paused = true)]
async fn an_option_serves_a_page_too() {
    async fn either(ws: Result<Option<WebSocketUpgrade>, WebSocketRejection>) -> Response {
        match ws {
            Ok(Some(ws)) => ws.on_upgrade(echo),
            Ok(None) => "a page".into_response(),
            Err(refused) => {
                assert_eq!(refused.rejection().kind(), RejectionKind::Origin);
                refused.into_response()
            }
        }
    }
    let router: Router = Router::new().route("/", any(either));
    let client = TestClient::new(router);
    let page = client.call(Request::get("/").body(Empty::<Bytes>::new()).unwrap()).await;
    assert_eq!(page.status(), 200);
    client.connect("/").await.unwrap();
    let evil = Request::get("/").header("origin", "https://evil.example").body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(client.open(evil).await.unwrap_err().status(), 403);
}

#[tokio::test(start_paused = true)]
async fn a_handler_chooses_subprotocols_and_limits() {
    async fn handler(ws: WebSocketUpgrade, headers: HeaderMap) -> Response {
        assert_eq!(ws.subprotocol(), None);
        let ws = ws.subprotocols(["v2", "v1"]);
        assert_eq!(ws.subprotocol(), headers.contains_key("sec-websocket-protocol").then_some("v2"));
        let config = WebSocketConfig::new().without_compression().limits(Limits::default().max_message_size(3));
        ws.config(config).on_upgrade(echo)
    }
    let router: Router = Router::new().route("/", any(handler));
    let client = TestClient::new(router);
    let request = Request::get("/").header("sec-websocket-protocol", "v1, v2").body(Empty::<Bytes>::new()).unwrap();
    for ws in [client.open(request).await.unwrap(), client.connect("/").await.unwrap()] {
        assert!(!ws.is_compressed());
        ws.send("abcd").await.unwrap();
        assert_eq!(ws.done().await.unwrap().code().get(), 1009);
    }
}

#[tokio::test(start_paused = true)]
async fn limits_of_one_connection_leave_the_other_settings() {
    async fn handler(ws: WebSocketUpgrade) -> Response {
        let limits = ws.get_config().get_limits().clone().max_message_size(3);
        ws.limits(limits).on_upgrade(async move |ws: Manager| ws.ignore_incoming().await)
    }
    let limits = Limits::default().max_lifetime(Duration::from_secs(3600));
    let upgrader = Upgrader::new().without_compression().keepalive(Keepalive::disabled()).limits(limits);
    let client = TestClient::new(Router::new().route("/", any(handler)).layer(Extension(upgrader)));

    let ws = client.connect("/").await.unwrap();
    assert!(!ws.is_compressed());
    ws.send("abcd").await.unwrap();
    assert_eq!(ws.done().await.unwrap().code().get(), 1009);

    let ws = client.connect("/").await.unwrap();
    let start = tokio::time::Instant::now();
    assert_eq!(ws.done().await.unwrap().code().get(), 1001);
    assert_eq!(start.elapsed().as_secs(), 3600);
    assert_eq!(ws.round_trip(), None);
}

#[tokio::test(start_paused = true)]
async fn the_key_of_a_limit_comes_from_an_extractor_before_the_upgrade() {
    struct User;
    impl<S: Sync> FromRequestParts<S> for User {
        type Rejection = Infallible;
        async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
            parts.extensions.insert("anna");
            Ok(Self)
        }
    }
    let upgrader = Upgrader::new().max_connections_per_key(1, |request| request.extensions.get::<&str>().copied());
    let before = any(|_: User, ws: WebSocketUpgrade| async { ws.on_upgrade(echo) });
    let after = any(|ws: WebSocketUpgrade, _: User| async { ws.on_upgrade(echo) });
    for (handler, second) in [(before, Some(429)), (after, None)] {
        let client = TestClient::new(Router::new().route("/", handler).layer(Extension(upgrader.clone())));
        let first = client.connect("/").await.unwrap();
        assert_eq!(client.connect("/").await.err().map(|response| response.status().as_u16()), second);
        first.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_span_has_the_peer_and_the_path_before_nesting() {
    let lines = lines::Lines::default();
    lines.subscribe();
    let by_functions = Upgrader::new()
        .peer_addr(|request| request.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0))
        .original_uri(|request| request.extensions.get::<OriginalUri>().map(|original| &original.0));
    let by_types = Upgrader::new().span_from::<ConnectInfo<SocketAddr>, OriginalUri>();
    let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
    for (upgrader, known_without_info) in [(by_functions, false), (by_types, true)] {
        let inner = Router::new().route("/ws", any(|ws: WebSocketUpgrade| async { ws.on_upgrade(echo) }));
        let router: Router = Router::new().nest("/api", inner).layer(Extension(upgrader));
        let client = TestClient::new(router);
        for (has_info, shown) in [(true, true), (false, known_without_info)] {
            let request = || {
                let request = Request::get("/api/ws");
                if has_info { request.extension(ConnectInfo(peer)) } else { request.extension(peer) }
            };
            let ws = client.open(request().body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
            ws.close().await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
            let said = lines.take();
            assert!(said.contains("websocket{path=\"/api/ws\""), "{said}");
            assert_eq!(said.contains("path=\"/api/ws\" peer=192.0.2.1:4711"), shown, "{said}");

            let evil = request().header("origin", "https://evil.example");
            client.open(evil.body(Empty::<Bytes>::new()).unwrap()).await.unwrap_err();
            let said = lines.take();
            assert!(said.contains("handshake refused") && said.contains("path=\"/api/ws\""), "{said}");
            assert_eq!(said.contains("peer=192.0.2.1:4711"), shown, "{said}");
        }
    }
}
