//! axum with state, extractors and authentication.
//!
//! ```sh
//! cargo add tower-websocket --features axum
//! ```
//!
//! # A route with state
//!
//! Use the extractor [`WebSocketUpgrade`](crate::axum::WebSocketUpgrade) together with axum's own. Route it with `any`, not
//! `get`: over HTTP/2 a handshake is a `CONNECT`.
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use axum::Router;
//! use axum::extract::{Path, State};
//! use axum::response::Response;
//! use axum::routing::any;
//! use tower_websocket::axum::WebSocketUpgrade;
//! use tower_websocket::testing::TestClient;
//! use tower_websocket::{Error, Manager, Message};
//!
//! #[derive(Clone, Default)]
//! struct App {
//!     visits: Arc<AtomicU64>,
//! }
//!
//! async fn room(ws: WebSocketUpgrade, Path(name): Path<String>, State(app): State<App>) -> Response {
//!     ws.on_upgrade(move |ws| greet(ws, name, app))
//! }
//!
//! async fn greet(ws: Manager, name: String, app: App) -> Result<(), Error> {
//!     let visit = app.visits.fetch_add(1, Ordering::Relaxed) + 1;
//!     ws.send(format!("visit {visit}, to {name}")).await
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let app: Router = Router::new().route("/rooms/{name}", any(room)).with_state(App::default());
//!
//! let ws = TestClient::new(app).connect("/rooms/kitchen").await.expect("the handshake is accepted");
//! assert_eq!(ws.recv().await?, Some(Message::text("visit 1, to kitchen")));
//! # Ok(())
//! # }
//! ```
//!
//! # Settings of an endpoint
//!
//! The settings are an [`Upgrader`](crate::Upgrader). Make it once, put it into the router's state and use
//! `WebSocketUpgrade<Upgrader>`, as [`crate::axum`] shows, or put it into the request's extensions with `axum::Extension`.
//! Otherwise the defaults apply.
//!
//! Three mistakes compile and change nothing that you see at first:
//!
//! - **`WebSocketUpgrade` without a type does not read the state.** An `impl FromRef<App> for Upgrader` is used by
//!   `WebSocketUpgrade<Upgrader>` only. Without the type, the defaults apply: no limit on connections, no shutdown, the
//!   default origin policy.
//! - **`from_ref` runs for each request.** It must clone the `Upgrader` of the state. An `Upgrader` that is made in `from_ref`
//!   counts one connection, so that [`max_connections`](crate::Upgrader::max_connections) and
//!   [`max_connections_per_key`](crate::Upgrader::max_connections_per_key) are never reached. The same is true of
//!   `From<Settings> for Upgrader` with a type of your own, and of middleware that inserts an `Upgrader`.
//! - **`WebSocketUpgrade` sees the request as it is when its turn comes.** Extractors run in the order of the arguments.
//!   What a later one inserts into the request's extensions is not there for `max_connections_per_key`, whose key is then
//!   `None`: such a connection is not limited. [`on_end`](crate::Upgrader::on_end) and
//!   [`Manager::request`](crate::Manager::request) do not have it either. Put such extractors before `WebSocketUpgrade`, as
//!   below, or insert the value in middleware.
//!
//! # Authentication with cookies
//!
//! A browser sends cookies with the handshake. As pages of other sites are refused by their origin, a session cookie is
//! enough. If another extractor refuses the request, its response is sent, and no WebSocket is opened. Here each user may
//! open one connection at a time:
//!
//! ```
//! use axum::extract::FromRequestParts;
//! use axum::http::request::Parts;
//! use axum::http::{Request, StatusCode, header};
//! use axum::response::Response;
//! use axum::routing::any;
//! use axum::{Extension, Router};
//! use tower_websocket::axum::WebSocketUpgrade;
//! use tower_websocket::testing::TestClient;
//! use tower_websocket::{Error, Manager, Message, Upgrader};
//!
//! #[derive(Clone)]
//! struct User(String);
//!
//! impl<S: Sync> FromRequestParts<S> for User {
//!     type Rejection = (StatusCode, &'static str);
//!
//!     async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
//!         let cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
//!         let session = cookies.flat_map(|line| line.split("; ")).find_map(|pair| pair.strip_prefix("session="));
//!         let user = match session {
//!             Some("s3cret") => User("anna".into()), // the application's own check
//!             _ => return Err((StatusCode::UNAUTHORIZED, "sign in first\n")),
//!         };
//!         parts.extensions.insert(user.clone()); // for the key of the limit, and for `on_end`
//!         Ok(user)
//!     }
//! }
//!
//! // `User` comes first.
//! async fn account(user: User, ws: WebSocketUpgrade) -> Response {
//!     ws.on_upgrade(async move |ws: Manager| {
//!         ws.send(format!("hello, {}", user.0)).await?;
//!         ws.recv().await.map(drop)
//!     })
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let upgrader = Upgrader::new().max_connections_per_key(1, |request| Some(request.extensions.get::<User>()?.0.clone()));
//! let client = TestClient::new(Router::new().route("/ws", any(account)).layer(Extension(upgrader)));
//! assert_eq!(client.connect("/ws").await.unwrap_err().status(), 401);
//!
//! let request = || Request::get("/ws").header("cookie", "theme=dark; session=s3cret").body(axum::body::Body::empty());
//! let ws = client.open(request().expect("it is valid")).await.expect("the handshake is accepted");
//! assert_eq!(ws.recv().await?, Some(Message::text("hello, anna")));
//! assert_eq!(client.open(request().expect("it is valid")).await.unwrap_err().status(), 429);
//! # Ok(())
//! # }
//! ```
//!
//! # Authentication with tokens
//!
//! A page cannot add an `Authorization` header to a handshake. It can name subprotocols: `new WebSocket(url, ["chat.v1",
//! "bearer." + token])`. Check the token before the handshake is answered, answer with `chat.v1` only, and close the
//! connection when the token expires. A subprotocol may contain only the characters of an HTTP token: encode the token as
//! base64url without `=`.
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use axum::Router;
//! use axum::extract::Request;
//! use axum::http::StatusCode;
//! use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
//! use axum::middleware::{Next, from_fn};
//! use axum::response::{IntoResponse, Response};
//! use tower_websocket::testing::TestClient;
//! use tower_websocket::{CloseCode, CloseFrame, Error, Manager, Message, Upgrader, WebSocketLayer};
//!
//! #[derive(Clone)]
//! struct Session {
//!     user: &'static str,
//!     expires: Instant,
//! }
//!
//! fn verify(token: &str) -> Option<Session> {
//!     let expires = Instant::now() + Duration::from_secs(3600);
//!     (token == "YW5uYQ").then_some(Session { user: "anna", expires }) // the application's own check
//! }
//!
//! async fn authenticate(mut request: Request, next: Next) -> Response {
//!     let offers = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|line| line.to_str().ok());
//!     let token = offers.flat_map(|line| line.split(',')).find_map(|offer| offer.trim().strip_prefix("bearer."));
//!     match token.and_then(verify) {
//!         Some(session) => {
//!             request.extensions_mut().insert(session);
//!             next.run(request).await
//!         }
//!         None => StatusCode::UNAUTHORIZED.into_response(),
//!     }
//! }
//!
//! async fn chat(ws: Manager) -> Result<(), Error> {
//!     let Some(session) = ws.request().extensions.get::<Session>().cloned() else {
//!         return Err(CloseFrame::from(CloseCode::POLICY_VIOLATION).into());
//!     };
//!     // Another call renews it.
//!     ws.set_deadline(session.expires, CloseFrame::new(CloseCode::POLICY_VIOLATION, "token expired"));
//!     ws.send(format!("hello, {}", session.user)).await?;
//!     while let Some(message) = ws.recv().await? {
//!         ws.send(message).await?;
//!     }
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let chat = WebSocketLayer::new(chat).upgrader(Upgrader::new().subprotocols(["chat.v1"]));
//! let app: Router = Router::new().route_service("/ws", chat.into_service()).layer(from_fn(authenticate));
//!
//! let client = TestClient::new(app);
//! assert_eq!(client.connect("/ws").await.unwrap_err().status(), 401);
//!
//! let request = Request::get("/ws").header("sec-websocket-protocol", "chat.v1, bearer.YW5uYQ");
//! let request = request.body(axum::body::Body::empty()).expect("it is valid");
//! let ws = client.open(request).await.expect("the handshake is accepted");
//! assert_eq!(ws.subprotocol(), Some("chat.v1"));
//! assert_eq!(ws.recv().await?, Some(Message::text("hello, anna")));
//! # Ok(())
//! # }
//! ```
//!
//! `examples/token.rs` is a complete program with a page. A token in the URL works too, but servers and proxies log it: let
//! it expire soon, and accept it only once.
//!
//! # A layer or the extractor?
//!
//! | | `WebSocketLayer` | `WebSocketUpgrade` |
//! | --- | --- | --- |
//! | works with | any tower service | axum 0.8, feature `axum` |
//! | values of the request are in | [`Manager::request`](crate::Manager::request) | the handler's arguments |
//! | settings | [`WebSocketLayer::upgrader`](crate::WebSocketLayer::upgrader), request extensions | router state, request extensions |
//! | a page and a WebSocket at one path | the inner service answers other requests | `Option<WebSocketUpgrade>` |
//!
//! Apply the layer with [`Router::layer`] or `MethodRouter::layer`; `route_layer` does not see the `CONNECT` of HTTP/2. In
//! a nested router, [`path`](crate::WebSocketLayer::path) and `ws.request().uri` do not have the prefix; axum's
//! `OriginalUri`, in the request's extensions, has it.
//!
//! [`Router::layer`]: https://docs.rs/axum/latest/axum/struct.Router.html#method.layer
//!
//! # The peer's address and the path in the log
//!
//! axum keeps them in its own types, `ConnectInfo` and `OriginalUri`. This crate depends on `axum-core` only, which does not
//! have them. One call names them; the `peer` and the `path` of each connection's span and of each refusal are then theirs:
//!
//! ```
//! use std::net::SocketAddr;
//! use axum::extract::{ConnectInfo, OriginalUri};
//! use axum::response::Response;
//! use axum::routing::any;
//! use axum::{Extension, Router};
//! use tower_websocket::axum::WebSocketUpgrade;
//! use tower_websocket::{Manager, Upgrader};
//!
//! async fn hello(ws: WebSocketUpgrade) -> Response {
//!     ws.on_upgrade(|ws: Manager| async move { ws.send("hello").await })
//! }
//!
//! let upgrader = Upgrader::new().span_from::<ConnectInfo<SocketAddr>, OriginalUri>();
//! let api = Router::new().route("/ws", any(hello));
//! let app: Router = Router::new().nest("/api", api).layer(Extension(upgrader));
//! let service = app.into_make_service_with_connect_info::<SocketAddr>(); // for `axum::serve`
//! ```
//!
//! [`Upgrader::peer_addr`](crate::Upgrader::peer_addr) and [`Upgrader::original_uri`](crate::Upgrader::original_uri) take a
//! function instead, for instance for an address in a proxy's header.
//!
//! [`OriginPolicy::trusted_proxies`](crate::OriginPolicy::trusted_proxies) uses none of these, as a client may have set that
//! header. It needs a plain `SocketAddr` in the request's extensions, which is the default of `peer` too. Insert axum's, or use
//! [`trusted_proxies_by`](crate::OriginPolicy::trusted_proxies_by):
//!
//! ```
//! use std::net::SocketAddr;
//! use axum::extract::{ConnectInfo, Request};
//! use axum::{Router, middleware::map_request};
//!
//! async fn pass_on(ConnectInfo(peer): ConnectInfo<SocketAddr>, mut request: Request) -> Request {
//!     request.extensions_mut().insert(peer);
//!     request
//! }
//!
//! let app: Router = Router::new().layer(map_request(pass_on));
//! let service = app.into_make_service_with_connect_info::<SocketAddr>(); // for `axum::serve`
//! ```
