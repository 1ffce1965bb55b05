//! A bearer token in the subprotocol. Browsers cannot add headers to a handshake, but they can name subprotocols:
//! `new WebSocket(url, ["chat.v1", "bearer." + token])`. The token is checked before the handshake is answered, so that a
//! client without one gets 401 and no connection, and it is neither echoed nor logged.
//!
//! The session ends with the token. A client that stays gets another token in time and sends `renew` with it: its session then
//! ends with that one.
//!
//! `cargo run --example token` listens on `127.0.0.1:3000`, or on `ADDR`.

use std::collections::HashMap;
use std::env;
use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::header::{SEC_WEBSOCKET_PROTOCOL, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tower_websocket::{CloseCode, CloseFrame, Error, Manager, OriginPolicy, Upgrader, WebSocketLayer};

#[allow(dead_code, reason = "an example uses a part of it")]
#[path = "server/mod.rs"]
mod server;

/// What a token says. It may as well be in the token itself, with a signature; `expires` is then its `exp`.
#[derive(Clone, Debug)]
struct Claims {
    user: String,
    expires: Instant,
}

/// The tokens that are valid.
#[derive(Clone, Debug, Default)]
struct Tokens(Arc<Mutex<HashMap<String, Claims>>>);

impl Tokens {
    /// A new token, unless there are too many.
    fn issue(&self, claims: Claims) -> Option<String> {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, claims| claims.expires > Instant::now());
        if tokens.len() >= MOST_TOKENS {
            return None;
        }
        let token = format!("{:032x}", rand::random::<u128>());
        tokens.insert(token.clone(), claims);
        Some(token)
    }

    fn verify(&self, token: &str) -> Option<Claims> {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.get(token).filter(|claims| claims.expires > Instant::now()).cloned()
    }
}

#[derive(Debug, serde::Deserialize)]
struct SignIn {
    user: String,
    /// How long the token is to be valid.
    seconds: Option<u64>,
}

/// A token for anybody who asks. An application asks for a password first.
async fn sign_in(State(tokens): State<Tokens>, Query(SignIn { user, seconds }): Query<SignIn>) -> Response {
    let lifetime = seconds.map_or(LONGEST, Duration::from_secs).min(LONGEST);
    match tokens.issue(Claims { user, expires: Instant::now() + lifetime }) {
        Some(token) => token.into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// The token among the subprotocols that a client offers.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).find_map(|offer| offer.trim().strip_prefix("bearer."))
}

/// Lets nobody through to the WebSocket without a token, and tells its handler whose it is and for how long.
async fn authenticate(State(tokens): State<Tokens>, mut request: Request, next: Next) -> Response {
    match bearer(request.headers()).and_then(|token| tokens.verify(token)) {
        Some(claims) => {
            request.extensions_mut().insert(claims);
            next.run(request).await
        }
        None => (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], "a token is required\n").into_response(),
    }
}

async fn chat(ws: Manager, tokens: Tokens) -> Result<(), Error> {
    let expired = || CloseFrame::new(CloseCode::POLICY_VIOLATION, "token expired");
    let Some(Claims { user, expires }) = ws.request().extensions.get().cloned() else { return Err(expired().into()) };
    ws.set_deadline(expires, expired());
    ws.send(format!("hello, {user}")).await?;
    while let Some(message) = ws.recv().await? {
        let Some(token) = message.as_text().and_then(|text| text.strip_prefix("renew ")) else {
            ws.send(message).await?;
            continue;
        };
        // The token of another user renews nothing.
        match tokens.verify(token).filter(|claims| claims.user == user) {
            Some(claims) => {
                ws.set_deadline(claims.expires, expired());
                ws.send("renewed").await?;
            }
            None => ws.send("not renewed").await?,
        }
    }
    Ok(())
}

/// How long a token is valid at most.
const LONGEST: Duration = Duration::from_secs(3600);
const MOST_TOKENS: usize = 10_000;

/// The page, its tokens, and the WebSocket at `/ws`.
pub(crate) fn app() -> Result<Router, Error> {
    // A page of another name that resolves to this machine (DNS rebinding) has no business here.
    let origin = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    // The one subprotocol that is answered; a browser fails a connection whose answer names none of those it offered.
    let upgrader = Upgrader::new().origin(origin).subprotocols(["chat.v1"]).on_end(|request, end, stats| {
        let user = request.extensions.get::<Claims>().map(|claims| &claims.user);
        println!("{user:?} left after {} messages: {end:?}", stats.messages_received);
    });
    let tokens = Tokens::default();
    let known = tokens.clone();
    let chat = WebSocketLayer::new(move |ws| chat(ws, known.clone())).upgrader(upgrader).into_service();
    let chat = Router::new().route_service("/ws", chat).layer(from_fn_with_state(tokens.clone(), authenticate));
    let page = Router::new().route("/", get(|| async { Html(PAGE) })).route("/token", post(sign_in)).with_state(tokens);
    Ok(page.merge(chat))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    server::serve(listener, server::http(), app()?).await;
    Ok(())
}

const PAGE: &str = r#"<!doctype html>
<title>Token</title>
<button onclick="open_as('anna', 10)">as anna, for 10 s</button> <button onclick="renew('anna', 10)">10 s more</button>
<button onclick="open_with('wrong')">with a wrong token</button>
<pre id="log"></pre>
<script>
    let ws;
    async function token(user, seconds) {
        return (await fetch(`/token?user=${user}&seconds=${seconds}`, { method: 'POST' })).text();
    }
    async function open_as(user, seconds) {
        open_with(await token(user, seconds));
    }
    function open_with(token) {
        const url = `${location.protocol.replace('http', 'ws')}//${location.host}/ws`;
        ws = new WebSocket(url, ['chat.v1', 'bearer.' + token]);
        ws.onmessage = (message) => log.append(message.data, '\n');
        ws.onclose = (event) => log.append(`closed: ${event.code} ${event.reason}\n`);
    }
    async function renew(user, seconds) {
        ws.send('renew ' + await token(user, seconds));
    }
</script>
"#;
