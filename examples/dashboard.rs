//! The load of this machine, live in a browser.
//!
//! `cargo run --example dashboard` prints the address of a page with three WebSockets. Its charts come by
//! `periodic_write`: what has not changed is not sent. The messages are described in `dashboard/app.js`.
//!
//! With `--features metrics` it counts what the connections do, shows that on the page, and serves it at `/metrics` for
//! Prometheus; `dashboard/grafana.json` is a dashboard for Grafana.
//!
//! It listens on `127.0.0.1:3000`, or on `ADDR`. Ctrl-C tells every page before it stops.

#[path = "dashboard/metrics.rs"]
mod counted;
#[path = "server/mod.rs"]
mod server;

use std::collections::BTreeMap;
use std::env;
use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};
use http::Version;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, USER_AGENT, X_CONTENT_TYPE_OPTIONS};
use serde::{Deserialize, Serialize};
use sysinfo::System;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_websocket::{CloseCode, Error, Manager, OriginPolicy, Shutdown, Upgrader, WebSocketLayer};

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn StdError>> {
    let address = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&address).await.map_err(|error| {
        format!("cannot listen on {address}: {error}\nChoose another address: ADDR=127.0.0.1:0 takes any free port.")
    })?;
    let stop = stop_signal()?;
    let mut load = measure()?;
    load.changed().await?;
    println!("Open http://{} in a browser. Ctrl-C stops the server.", listener.local_addr()?);

    // It lives as long as the process, so that handlers can simply refer to it.
    let app: &'static App = Box::leak(Box::new(App { load, peers: Mutex::default(), savings: Savings::default() }));
    let shutdown = Shutdown::new();
    // A page of another name that resolves to this machine (DNS rebinding) is not told who is connected.
    let origin = OriginPolicy::same_host().allowed_hosts(["localhost", "127.0.0.1", "[::1]"])?;
    let upgrader = Upgrader::new().origin(origin).shutdown(&shutdown);
    let status = WebSocketLayer::new(move |ws| status(ws, app)).upgrader(upgrader.clone());
    let peers = WebSocketLayer::new(move |ws| peers(ws, app)).upgrader(upgrader.clone());
    let echo = WebSocketLayer::new(echo).upgrader(upgrader);
    let router = Router::new()
        .route("/", file("text/html; charset=utf-8", include_str!("dashboard/index.html")))
        .route("/style.css", file("text/css; charset=utf-8", include_str!("dashboard/style.css")))
        .merge(scripts())
        .merge(counted::metrics()?)
        .route_service("/ws/status", status.into_service())
        .route_service("/ws/peers", peers.into_service())
        .route_service("/ws/echo", echo.into_service());

    let stopped = async {
        stop.await;
        shutdown.close_all(CloseCode::GOING_AWAY, "restarting", Duration::from_secs(10)).await;
    };
    tokio::select! {
        () = server::serve(listener, server::http(), router) => {}
        // Whoever still waits for something else, or takes nothing, is left: over HTTP/2 that may be for ever.
        () = stopped => {}
    }
    Ok(())
}

/// The modules of the page's script.
fn scripts() -> Router {
    let modules = [
        ("/app.js", include_str!("dashboard/app.js")),
        ("/chart.js", include_str!("dashboard/chart.js")),
        ("/echo.js", include_str!("dashboard/echo.js")),
        ("/link.js", include_str!("dashboard/link.js")),
        ("/metrics.js", include_str!("dashboard/metrics.js")),
        ("/page.js", include_str!("dashboard/page.js")),
        ("/peers.js", include_str!("dashboard/peers.js")),
        ("/state.js", include_str!("dashboard/state.js")),
        ("/status.js", include_str!("dashboard/status.js")),
        ("/words.js", include_str!("dashboard/words.js")),
    ];
    modules.into_iter().fold(Router::new(), |router, (path, script)| {
        router.route(path, file("text/javascript; charset=utf-8", script))
    })
}

/// What all connections share.
struct App {
    load: watch::Receiver<Load>,
    peers: Mutex<BTreeMap<u64, Connected>>,
    savings: Savings,
}

/// `/ws/status`: the load, once a second if it has changed, until either side has enough.
async fn status(ws: Manager, app: &App) -> Result<(), Error> {
    let updates = ws
        .periodic_write(SECOND, || async { Ok::<_, Error>(app.status()) })
        .dedup_by(|last, now| app.savings.count(last.load == now.load, now));
    tokio::select! {
        result = updates => result,
        result = grant_wishes(&ws) => result,
    }
}

/// Closes as the page wishes.
async fn grant_wishes(ws: &Manager) -> Result<(), Error> {
    while let Some(message) = ws.recv().await? {
        let Ok(Wish { close: CloseWish { code, reason } }) = serde_json::from_slice(message.as_bytes()) else {
            continue;
        };
        let Some(code) = CloseCode::new(code) else { continue };
        ws.close_with(code, reason).await?;
    }
    Ok(())
}

/// `/ws/peers`: who is connected, once a second if it has changed.
async fn peers(ws: Manager, app: &App) -> Result<(), Error> {
    let you = app.join(&ws);
    let updates = ws
        .periodic_write(SECOND, || async { Ok::<_, Error>(Peers { you, peers: app.peers() }) })
        .dedup_by(|last, now| app.savings.count(last == now, now));
    // What nobody reads would stop the connection from seeing anything behind it.
    let pass_over = async {
        while ws.recv().await?.is_some() {}
        Ok(())
    };
    tokio::select! {
        result = updates => result,
        result = pass_over => result,
    }
}

/// `/ws/echo`
async fn echo(ws: Manager) -> Result<(), Error> {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

impl App {
    fn status(&self) -> Status {
        let load = self.load.borrow().clone();
        Status { load, dedup: self.savings.produce() }
    }

    /// Lists a connection, and returns its id.
    fn join(&self, ws: &Manager) -> u64 {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let id = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        let connected = Connected { ws: ws.clone(), peer: Peer::new(id, ws) };
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).insert(id, connected);
        id
    }

    fn peers(&self) -> Vec<Peer> {
        self.savings.produce();
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.retain(|_, connected| connected.ws.end().is_none());
        peers.values().map(Connected::peer).collect()
    }
}

/// What deduplication saves, all connections together.
#[derive(Default)]
struct Savings {
    produced: AtomicU64,
    skipped: AtomicU64,
    bytes: AtomicU64,
}

impl Savings {
    /// Counts one more update.
    fn produce(&self) -> Dedup {
        let produced = self.produced.fetch_add(1, Ordering::Relaxed) + 1;
        let sent = produced - self.skipped.load(Ordering::Relaxed);
        Dedup { produced, sent, bytes_saved: self.bytes.load(Ordering::Relaxed) }
    }

    /// Passes on whether the update is the `same` as the last one, and then counts its bytes.
    fn count(&self, same: bool, update: &impl Serialize) -> bool {
        if same {
            let bytes = serde_json::to_string(update).map_or(0, |json| json.len());
            self.skipped.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        same
    }
}

#[derive(Serialize)]
struct Status {
    #[serde(flatten)]
    load: Load,
    dedup: Dedup,
}

#[derive(Clone, Default, PartialEq, Serialize)]
struct Load {
    /// Of each core, in percent.
    cpu: Vec<f32>,
    memory: Memory,
}

#[derive(Clone, Default, PartialEq, Serialize)]
struct Memory {
    used: u64,
    total: u64,
}

#[derive(Serialize)]
struct Dedup {
    produced: u64,
    sent: u64,
    bytes_saved: u64,
}

#[derive(Deserialize)]
struct Wish {
    close: CloseWish,
}

#[derive(Deserialize)]
struct CloseWish {
    code: u16,
    reason: String,
}

#[derive(PartialEq, Serialize)]
struct Peers {
    you: u64,
    peers: Vec<Peer>,
}

#[derive(Clone, PartialEq, Serialize)]
struct Peer {
    id: u64,
    address: String,
    user_agent: String,
    /// Milliseconds since 1970.
    since: u64,
    /// Milliseconds.
    round_trip: Option<f64>,
    http: &'static str,
    compressed: bool,
}

impl Peer {
    fn new(id: u64, ws: &Manager) -> Self {
        let request = ws.request();
        let header = |name| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let address = request.extensions.get::<SocketAddr>().map(ToString::to_string);
        Self {
            id,
            address: address.unwrap_or_default(),
            user_agent: header(USER_AGENT).to_owned(),
            since: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64),
            round_trip: None,
            http: if request.version == Version::HTTP_2 { "2" } else { "1.1" },
            compressed: ws.is_compressed(),
        }
    }
}

struct Connected {
    ws: Manager,
    peer: Peer,
}

impl Connected {
    fn peer(&self) -> Peer {
        let hundredths = self.ws.round_trip().map(|time| (time.as_secs_f64() * 100_000.0).round());
        Peer { round_trip: hundredths.map(|time| time / 100.0), ..self.peer.clone() }
    }
}

/// Measures the load twice a second: once for all connections, and in a thread, as reading it takes a moment.
fn measure() -> Result<watch::Receiver<Load>, sysinfo::Error> {
    let (sender, receiver) = watch::channel(Load::default());
    let mut system = System::new()?;
    thread::spawn(move || {
        system.refresh_cpu_usage();
        while !sender.is_closed() {
            // The load of a processor is known only over a time.
            thread::sleep(SECOND / 2);
            system.refresh_cpu_usage();
            system.refresh_memory();
            sender.send_replace(Load {
                // Rounded to what can be seen in a chart, so that the same load is the same value.
                cpu: system.cpus().iter().map(|core| core.usage().round()).collect(),
                memory: Memory { used: system.used_memory() >> 20 << 20, total: system.total_memory() },
            });
        }
    });
    Ok(receiver)
}

fn file(content_type: &'static str, text: &'static str) -> MethodRouter {
    // Nothing from elsewhere, and no inline script: what a visitor's name might smuggle in would not run.
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
        base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers =
        [(CONTENT_TYPE, content_type), (CONTENT_SECURITY_POLICY, POLICY), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    get(move || async move { (headers, text).into_response() })
}

/// Ctrl-C, or what `kill` and service managers send.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let terminated = async move {
        #[cfg(unix)]
        terminate.recv().await;
        #[cfg(not(unix))]
        std::future::pending::<()>().await;
    };
    Ok(async {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            () = terminated => {}
        }
    })
}

const SECOND: Duration = Duration::from_secs(1);
