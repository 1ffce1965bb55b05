//! The layer, the two function forms and the extractor are fronts of one `Upgrader`, and lose nothing against each other.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRef;
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, service_fn};
use tower_websocket::axum::{FromExtensions, WebSocketRejection, WebSocketUpgrade};
use tower_websocket::testing::{TestClient, pair};
use tower_websocket::{
    CloseCode, CloseFrame, EmptyBody, ErrorKind, OriginPolicy, Rejection, RejectionKind, Shutdown, Stats, Upgrade,
    Upgrader, WebSocketLayer,
};

use crate::echo::echo;

type Service = BoxCloneSyncService<Request<EmptyBody>, Response, Infallible>;

/// The same endpoint, served in every way that there is.
fn fronts(upgrader: &Upgrader) -> Vec<(&'static str, TestClient<Service>)> {
    let layer = WebSocketLayer::new(echo).upgrader(upgrader.clone());
    let shorthand = {
        let mut layer = WebSocketLayer::new(echo).upgrader(upgrader.clone());
        if let Some(shutdown) = upgrader.get_shutdown() {
            // Set before and behind: neither takes the other's away.
            layer = WebSocketLayer::new(echo).shutdown(shutdown).upgrader(upgrader.clone());
        }
        layer
    };
    let by_request = WebSocketLayer::new(echo).upgrader(upgrader.clone());

    let settings = upgrader.clone();
    let function = service_fn(move |mut request: Request<EmptyBody>| {
        let answer = settings.upgrade::<_, Body>(&mut request);
        let response = answer.map_or_else(
            |rejection| settings.rejection_response(rejection, request.version()).map(Body::from),
            |(response, upgrade)| {
                tokio::spawn(upgrade.run(echo));
                response
            },
        );
        async { Ok::<_, Infallible>(response) }
    });
    let settings = upgrader.clone();
    let parts = service_fn(move |request: Request<EmptyBody>| {
        let (mut parts, _) = request.into_parts();
        let answer = settings.upgrade_parts::<Body>(&mut parts);
        let response = answer.map_or_else(
            |rejection| settings.rejection_response(rejection, parts.version).map(Body::from),
            |(response, upgrade)| {
                tokio::spawn(upgrade.run(echo));
                response
            },
        );
        async { Ok::<_, Infallible>(response) }
    });

    async fn handler<T>(ws: WebSocketUpgrade<T>) -> Response {
        ws.on_upgrade(echo)
    }
    let extension: Router =
        Router::new().route("/ws", any(handler::<FromExtensions>)).layer(Extension(upgrader.clone()));
    let state = Router::new().route("/ws", any(handler::<Upgrader>)).with_state(App(upgrader.clone()));
    let own = state.clone().layer(Extension(Upgrader::new()));
    let nested = Router::new().nest("/api", Router::new().route("/ws", any(handler::<Upgrader>)));
    let nested = ServiceBuilder::new()
        .map_request(|mut request: Request<EmptyBody>| {
            let mut parts = request.uri().clone().into_parts();
            parts.path_and_query = Some(format!("/api{}", request.uri().path()).parse().unwrap());
            *request.uri_mut() = parts.try_into().unwrap();
            request
        })
        .service(nested.with_state(App(upgrader.clone())));

    let body = |response: http::Response<tower_websocket::ResponseBody<_>>| response.map(Body::new);
    let layered = |layer: WebSocketLayer<_>| {
        let inner = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
        BoxCloneSyncService::new(ServiceBuilder::new().map_response(body).layer(layer).service(inner))
    };
    let by_request = ServiceBuilder::new().layer(Extension(Upgrader::new())).service(layered(by_request));
    [
        ("layer", layered(layer)),
        ("layer with a shorthand", layered(shorthand)),
        ("layer and a request's own settings", BoxCloneSyncService::new(by_request)),
        ("upgrade", BoxCloneSyncService::new(function)),
        ("upgrade_parts", BoxCloneSyncService::new(parts)),
        ("extractor by extension", BoxCloneSyncService::new(extension)),
        ("extractor by state", BoxCloneSyncService::new(state)),
        ("extractor and a request's own settings", BoxCloneSyncService::new(own)),
        ("extractor in a nested router", BoxCloneSyncService::new(nested)),
    ]
    .map(|(name, service)| (name, TestClient::new(service)))
    .into()
}

#[derive(Clone)]
struct App(Upgrader);

impl FromRef<App> for Upgrader {
    fn from_ref(app: &App) -> Self {
        app.0.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_counts_closes_and_refuses() {
    for number in 0..fronts(&Upgrader::new()).len() {
        for http2 in [false, true] {
            let shutdown = Shutdown::new();
            let (name, mut client) = fronts(&Upgrader::new().shutdown(&shutdown)).swap_remove(number);
            if http2 {
                client = client.http2();
            }
            let ws = client.connect("/ws").await.unwrap();
            ws.send("a").await.unwrap();
            ws.recv().await.unwrap();
            assert_eq!(shutdown.connections(), 1, "{name}");
            let dropped = shutdown.close_all(CloseCode::SERVICE_RESTART, "restarting", Duration::from_secs(10)).await;
            assert_eq!((dropped, shutdown.connections()), (0, 0), "{name}");
            assert_eq!(ws.done().await.unwrap().code(), CloseCode::SERVICE_RESTART, "{name}");
            let refused = client.connect("/ws").await.unwrap_err();
            assert_eq!(refused.status(), 503, "{name}");
            assert!(refused.headers().contains_key("retry-after"), "{name}");
            let rejection = refused.extensions().get::<Rejection>().unwrap();
            assert_eq!(rejection.kind(), RejectionKind::ShuttingDown, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_than_max_connections_are_open() {
    for number in 0..fronts(&Upgrader::new()).len() {
        let (name, client) = fronts(&Upgrader::new().max_connections(1)).swap_remove(number);
        let ws = client.connect("/ws").await.unwrap();
        let refused = client.connect("/ws").await.unwrap_err();
        assert_eq!(refused.status(), 503, "{name}");
        ws.close().await.unwrap();
        // The server's side of it ends a moment later.
        tokio::time::sleep(Duration::from_secs(1)).await;
        client.connect("/ws").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_than_max_connections_per_key_are_open() {
    let user = |name: Option<&str>| {
        let request = Request::get("/ws");
        name.into_iter()
            .fold(request, |request, name| request.header("x-user", name))
            .body(EmptyBody::default())
            .unwrap()
    };
    for number in 0..fronts(&Upgrader::new()).len() {
        for http2 in [false, true] {
            let upgrader = Upgrader::new().max_connections_per_key(2, |request| request.headers.get("x-user").cloned());
            let (name, mut client) = fronts(&upgrader).swap_remove(number);
            if http2 {
                client = client.http2();
            }
            let first = client.open(user(Some("ann"))).await.unwrap();
            let _second = client.open(user(Some("ann"))).await.unwrap();
            let refused = client.open(user(Some("ann"))).await.unwrap_err();
            assert_eq!(refused.status(), 429, "{name}");
            assert!(refused.headers().contains_key("retry-after"), "{name}");
            let rejection = refused.extensions().get::<Rejection>().unwrap();
            assert_eq!(rejection.kind(), RejectionKind::TooManyConnectionsPerKey, "{name}");
            // Others have their own count, and who has no key has none.
            for other in [Some("bob"), None, None, None] {
                client.open(user(other)).await.unwrap();
            }
            first.close().await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
            client.open(user(Some("ann"))).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_never_happens_counts_no_more() {
    let upgrader = Upgrader::new().max_connections_per_key(1, |_| Some(()));
    let (_, client) = fronts(&upgrader).swap_remove(0);
    let handshake = || {
        let request = Request::get("/ws").header("host", "h").header("connection", "upgrade");
        let request = request.header("upgrade", "websocket").header("sec-websocket-version", "13");
        request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").body(()).unwrap()
    };
    // Refused behind the limit, as nobody can upgrade it.
    let refused = upgrader.upgrade::<_, ()>(&mut handshake()).unwrap_err();
    assert_eq!(refused.kind(), RejectionKind::NotUpgradable);
    // Accepted, and dropped in place of being run.
    let settings = upgrader.clone();
    let dropping = service_fn(move |mut request: Request<EmptyBody>| {
        let answer = settings.upgrade::<_, Body>(&mut request).map(|(response, _)| response);
        async { Ok::<_, Infallible>(answer.unwrap()) }
    });
    for _ in 0..3 {
        let _ = TestClient::new(dropping.clone()).connect("/ws").await;
    }
    client.connect("/ws").await.unwrap();
}

/// Settings that refuse what [`TestClient`] sends.
#[derive(Clone)]
struct Strict;

impl FromRef<App> for Strict {
    fn from_ref(_: &App) -> Self {
        Self
    }
}

impl From<Strict> for Upgrader {
    fn from(_: Strict) -> Self {
        Self::new().origin(OriginPolicy::insecure_any().require_origin())
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_refuses_another_can_accept() {
    let (strict, lenient) = (Upgrader::from(Strict), Upgrader::new());
    let run = |upgrade: Upgrade| tokio::spawn(upgrade.run(echo));
    let settings = (strict.clone(), lenient.clone());
    let function = service_fn(move |mut request: Request<EmptyBody>| {
        settings.0.upgrade::<_, Body>(&mut request).unwrap_err();
        let (response, upgrade) = settings.1.upgrade::<_, Body>(&mut request).unwrap();
        run(upgrade);
        async { Ok::<_, Infallible>(response) }
    });
    let settings = (strict, lenient.clone());
    let parts = service_fn(move |request: Request<EmptyBody>| {
        let (mut parts, _) = request.into_parts();
        settings.0.upgrade_parts::<Body>(&mut parts).unwrap_err();
        let (response, upgrade) = settings.1.upgrade_parts::<Body>(&mut parts).unwrap();
        run(upgrade);
        async { Ok::<_, Infallible>(response) }
    });
    async fn handler(
        refused: Result<WebSocketUpgrade<Strict>, WebSocketRejection>,
        ws: WebSocketUpgrade<Upgrader>,
    ) -> Response {
        assert_eq!(refused.unwrap_err().rejection().kind(), RejectionKind::Origin);
        ws.on_upgrade(echo)
    }
    let extractor: Router = Router::new().route("/ws", any(handler)).with_state(App(lenient));
    for service in [
        BoxCloneSyncService::new(function) as Service,
        BoxCloneSyncService::new(parts),
        BoxCloneSyncService::new(extractor),
    ] {
        let ws = TestClient::new(service).connect("/ws").await.unwrap();
        ws.send("hello").await.unwrap();
        assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("hello"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_can_be_replaced() {
    let upgrader = Upgrader::new().on_rejection(|rejection, mut response| {
        assert_eq!(rejection.kind(), RejectionKind::Origin);
        *response.status_mut() = StatusCode::NOT_FOUND;
        *response.body_mut() = Bytes::from_static(b"nothing here");
        response
    });
    for (name, client) in fronts(&upgrader) {
        let request = Request::get("/ws").header("origin", "https://evil.example").body(EmptyBody::default()).unwrap();
        let refused = client.open(request).await.unwrap_err();
        assert_eq!(refused.status(), 404, "{name}");
        assert_eq!(refused.into_body().collect().await.unwrap().to_bytes(), "nothing here", "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_end_is_reported_once() {
    type Report = (String, Result<CloseFrame, ErrorKind>, Stats);
    let reports: Arc<Mutex<Vec<Report>>> = Arc::default();
    let told = reports.clone();
    let shutdown = Shutdown::new();
    let upgrader = Upgrader::new().shutdown(&shutdown).on_end(move |request, end, stats| {
        let end = end.clone().map_err(|error| error.kind());
        told.lock().unwrap().push((request.uri.path().to_owned(), end, stats));
    });
    for (name, client) in fronts(&upgrader) {
        let ws = client.connect("/ws").await.unwrap();
        ws.send("hello").await.unwrap();
        ws.recv().await.unwrap();
        assert!(reports.lock().unwrap().is_empty(), "{name}");
        ws.close_with(CloseCode::GOING_AWAY, "bye").await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let [(path, end, stats)] = std::mem::take(&mut *reports.lock().unwrap()).try_into().unwrap();
        assert_eq!((&*path, end.unwrap().code()), ("/ws", CloseCode::GOING_AWAY), "{name}");
        assert_eq!((stats.messages_received, stats.messages_sent), (1, 1), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_task_is_dropped_is_reported_too() {
    let reports: Arc<Mutex<Vec<Result<CloseFrame, ErrorKind>>>> = Arc::default();
    let told = reports.clone();
    let upgrader = Upgrader::new().on_end(move |_, end, _| {
        told.lock().unwrap().push(end.clone().map_err(|error| error.kind()));
    });
    let (send, mut running) = tokio::sync::mpsc::unbounded_channel();
    let service = service_fn(move |mut request: Request<EmptyBody>| {
        let (response, upgrade) = upgrader.upgrade::<_, Body>(&mut request).unwrap();
        send.send(tokio::spawn(upgrade.run(echo))).unwrap();
        async { Ok::<_, Infallible>(response) }
    });
    let ws = TestClient::new(service).connect("/").await.unwrap();
    ws.send("hello").await.unwrap();
    ws.recv().await.unwrap();
    let running = running.recv().await.unwrap();
    running.abort();
    running.await.unwrap_err();
    assert_eq!(*reports.lock().unwrap(), [Err(ErrorKind::Disconnected)]);
}

/// What `on_end` was told.
type Reports = Arc<Mutex<Vec<(Result<CloseFrame, ErrorKind>, Stats)>>>;

fn reporting() -> (Upgrader, Reports) {
    let reports = Reports::default();
    let told = reports.clone();
    let upgrader = Upgrader::new().on_end(move |request, end, stats| {
        assert_eq!(request.uri.path(), "/ws");
        told.lock().unwrap().push((end.clone().map_err(|error| error.kind()), stats));
    });
    (upgrader, reports)
}

/// As where the process ends right after the handshake: the task that would run the connection is never polled.
#[test]
fn a_connection_that_never_ran_is_reported_whichever_front_it_came_by() {
    for number in 0..fronts(&Upgrader::new()).len() {
        for http2 in [false, true] {
            let (upgrader, reports) = reporting();
            let shutdown = Shutdown::new();
            let (name, mut client) = fronts(&upgrader.shutdown(&shutdown)).swap_remove(number);
            if http2 {
                client = client.http2();
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let ws = runtime.block_on(client.connect("/ws")).unwrap();
            assert_eq!(shutdown.connections(), 1, "{name}");
            assert!(reports.lock().unwrap().is_empty(), "{name}");
            drop(runtime);
            drop(ws);
            assert_eq!(*reports.lock().unwrap(), [(Err(ErrorKind::Disconnected), Stats::default())], "{name}");
            assert_eq!(shutdown.connections(), 0, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_is_dropped_in_place_of_being_run_is_reported() {
    let told_while_counted = Arc::new(Mutex::new(Vec::new()));
    let (told, shutdown) = (told_while_counted.clone(), Shutdown::new());
    let counts = shutdown.clone();
    let upgrader = Upgrader::new().shutdown(&shutdown).on_end(move |request, end, stats| {
        let user = request.extensions.get::<&str>().copied();
        told.lock().unwrap().push((user, end.clone().map_err(|error| error.kind()), stats, counts.connections()));
    });
    let unpolled = upgrader.clone();
    let services: [(&str, Service); 3] = [
        ("dropped", {
            let service = service_fn(move |mut request: Request<EmptyBody>| {
                let (response, upgrade) = upgrader.upgrade::<_, Body>(&mut request).unwrap();
                drop(upgrade);
                async { Ok::<_, Infallible>(response) }
            });
            BoxCloneSyncService::new(service)
        }),
        ("a future that is not polled", {
            let upgrader = unpolled.clone();
            let service = service_fn(move |mut request: Request<EmptyBody>| {
                let (response, upgrade) = upgrader.upgrade::<_, Body>(&mut request).unwrap();
                drop(upgrade.run(echo));
                async { Ok::<_, Infallible>(response) }
            });
            BoxCloneSyncService::new(service)
        }),
        ("by its parts", {
            let service = service_fn(move |request: Request<EmptyBody>| {
                let (mut parts, _) = request.into_parts();
                let (response, upgrade) = unpolled.upgrade_parts::<Body>(&mut parts).unwrap();
                drop(upgrade);
                async { Ok::<_, Infallible>(response) }
            });
            BoxCloneSyncService::new(service)
        }),
    ];
    for (name, service) in services {
        for client in [TestClient::new(service.clone()), TestClient::new(service).http2()] {
            let mut request = Request::get("/ws").body(EmptyBody::default()).unwrap();
            request.extensions_mut().insert("anna");
            let _ = client.open(request).await;
            let told = std::mem::take(&mut *told_while_counted.lock().unwrap());
            assert_eq!(told, [(Some("anna"), Err(ErrorKind::Disconnected), Stats::default(), 1)], "{name}");
            assert_eq!(shutdown.connections(), 0, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_never_accepted_has_no_end() {
    async fn unanswered(ws: WebSocketUpgrade<Upgrader>) -> StatusCode {
        drop(ws);
        StatusCode::FORBIDDEN
    }

    let (upgrader, reports) = reporting();
    let app = Router::new().route("/ws", any(unanswered)).with_state(App(upgrader.clone()));
    let client = TestClient::new(BoxCloneSyncService::new(app));
    let handshake = || Request::get("/ws").body(EmptyBody::default()).unwrap();
    assert_eq!(client.open(handshake()).await.unwrap_err().status(), 403);
    for (name, client) in fronts(&upgrader) {
        let mut request = handshake();
        request.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
        assert_eq!(client.open(request).await.unwrap_err().status(), 403, "{name}");
    }
    assert_eq!(*reports.lock().unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_pair_counts_too() {
    let reports: Arc<Mutex<u64>> = Arc::default();
    let told = reports.clone();
    let shutdown = Shutdown::new();
    let upgrader = Upgrader::new().shutdown(&shutdown).on_end(move |request, _, stats| {
        assert_eq!(request.uri, "/");
        *told.lock().unwrap() += stats.messages_received;
    });
    let (client, server) = pair(upgrader);
    client.send("hello").await.unwrap();
    server.recv().await.unwrap();
    assert_eq!(shutdown.connections(), 1);
    assert_eq!(shutdown.close_all(CloseCode::GOING_AWAY, "", Duration::from_secs(10)).await, 0);
    assert_eq!(client.done().await.unwrap().code(), CloseCode::GOING_AWAY);
    assert_eq!(*reports.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_on_end_ends_nothing_else() {
    let shutdown = Shutdown::new();
    let upgrader = Upgrader::new().shutdown(&shutdown).on_end(|_, _, _| panic!("in the user's function"));
    for (name, client) in fronts(&upgrader) {
        let ws = client.connect("/ws").await.unwrap();
        ws.close().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(shutdown.connections(), 0, "{name}");
    }
}
