//! Reverse proxies: what to set in nginx, HAProxy, Envoy and Cloudflare.
//!
//! # What every proxy must do
//!
//! | it must | or else |
//! | --- | --- |
//! | pass `Connection` and `Upgrade` on, over HTTP/1.1 | 426, or the page instead of the WebSocket |
//! | pass `Host` on as the browser sent it | 403 for browsers, as the origin is another host |
//! | wait longer for data than the time between two pings (3 s by default) | connections end without a close frame: 1006 |
//! | buffer nothing | messages arrive late |
//!
//! The server sends a ping after 3 s of silence ([`Keepalive`](crate::Keepalive)), so with the default settings the idle
//! timeouts of proxies (60 s in nginx) are not reached.
//!
//! # nginx
//!
//! ```text
//! map $http_upgrade $connection_upgrade {
//!     default upgrade;
//!     ''      close;
//! }
//!
//! server {
//!     listen 443 ssl http2;
//!     # ..
//!     location / {
//!         proxy_pass http://127.0.0.1:3000;
//!         proxy_http_version 1.1;
//!         proxy_set_header Upgrade $http_upgrade;
//!         proxy_set_header Connection $connection_upgrade;
//!         proxy_set_header Host $host;
//!         # Only with a longer keepalive interval: the default is 60 s.
//!         # proxy_read_timeout 300s;
//!     }
//! }
//! ```
//!
//! `$host` has no port. That is enough for the default policy, which compares only hosts. For
//! [`OriginPolicy::same_origin`](crate::OriginPolicy::same_origin) on a port other than the scheme's, pass `$http_host`.
//!
//! Since nginx 1.25.1, HTTP/2 is turned on with `http2 on;` instead of the parameter of `listen`. nginx does not offer
//! WebSockets over HTTP/2: browsers open another connection with HTTP/1.1.
//!
//! # HAProxy
//!
//! ```text
//! defaults
//!     mode http
//!     timeout connect 10s
//!     timeout client 60s
//!     timeout server 60s
//!     timeout tunnel 60s
//! frontend front
//!     bind :443 ssl crt /etc/haproxy/site.pem alpn h2,http/1.1
//!     default_backend app
//! backend app
//!     server app 127.0.0.1:3000
//! ```
//!
//! HAProxy passes upgrades and `Host` on without further settings. `timeout tunnel` is the idle timeout of WebSockets. With
//! `proto h2 ws h2` on the `server` line it uses HTTP/2 to your server. The WebSockets of several users can then share one
//! HTTP/2 connection to your server: set the windows and the number of streams as [`server`](super::server) says.
//!
//! # Envoy
//!
//! nginx and HAProxy are tested with this crate: `tests/behind_proxies` starts them. Envoy and Cloudflare are not: these two
//! sections follow their documentation.
//!
//! ```yaml
//! # In the HttpConnectionManager:
//! upgrade_configs:
//!   - upgrade_type: websocket
//! # For WebSockets over HTTP/2 from browsers:
//! http2_protocol_options:
//!   allow_connect: true
//! # Only with a longer keepalive interval: the default is 5 minutes.
//! # stream_idle_timeout: 600s
//! ```
//!
//! `Host` is passed on unless the route rewrites it (`host_rewrite_literal`, `auto_host_rewrite`). Do not use the buffer filter
//! on routes with WebSockets.
//!
//! # Cloudflare
//!
//! "WebSockets" must be on under "Network" in the dashboard. Cloudflare waits up to 100 s for data from your server; a ping every
//! 3 s, the default, is enough. When Cloudflare restarts a server, its connections end: clients must reconnect. `Host` is passed
//! on unless a rule changes it. The peer's address is Cloudflare's. The client's address is in the header `CF-Connecting-IP`:
//! trust it only where no other client can reach your server.
//!
//! # If the proxy cannot pass `Host` on
//!
//! [`OriginPolicy::trusted_proxies`](crate::OriginPolicy::trusted_proxies) takes host and scheme from a header that the
//! proxy sets, if the request comes from the proxy's address. The address is the plain `SocketAddr` in the request's
//! extensions:
//!
//! ```
//! use http::Request;
//! use std::net::SocketAddr;
//! use tower_websocket::testing::TestClient;
//! use tower_websocket::{Error, ForwardedHeader, Manager, OriginPolicy, Upgrader, WebSocketLayer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let policy = OriginPolicy::same_host().trusted_proxies(ForwardedHeader::XForwarded, ["10.0.0.0/8"])?;
//! let layer = WebSocketLayer::new(|ws: Manager| async move { ws.send("hello").await });
//! let client = TestClient::new(layer.upgrader(Upgrader::new().origin(policy)).into_service());
//!
//! let request = |peer: [u8; 4]| {
//!     let mut request = Request::get("/")
//!         .header("host", "backend.internal")
//!         .header("x-forwarded-host", "app.example.com") // the proxy must replace what the client sent
//!         .header("origin", "https://app.example.com")
//!         .body(())
//!         .expect("it is valid");
//!     request.extensions_mut().insert(SocketAddr::from((peer, 40000)));
//!     request
//! };
//! assert!(client.open(request([10, 1, 2, 3])).await.is_ok());
//! assert_eq!(client.open(request([192, 0, 2, 1])).await.unwrap_err().status(), 403);
//! # Ok(())
//! # }
//! ```
//!
//! # Limits for each client
//!
//! Behind a proxy, all connections come from the proxy's address. Get the key of
//! [`max_connections_per_key`](crate::Upgrader::max_connections_per_key) from a header that the proxy sets itself:
//!
//! ```
//! use tower_websocket::Upgrader;
//!
//! // nginx: proxy_set_header X-Real-IP $remote_addr;
//! let upgrader = Upgrader::new()
//!     .max_connections_per_key(20, |request| request.headers.get("x-real-ip").map(|address| address.as_bytes().to_vec()));
//! ```
