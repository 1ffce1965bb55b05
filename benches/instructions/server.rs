//! The server, which is counted.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, Service, service_fn};
use tower_websocket::{BoxError, Error, Hub, Keepalive, Manager, Overflow, Upgrader, WebSocketLayer};

use crate::rows::{Kind, Row};
use crate::support;
use status::Status;

#[path = "../support/status.rs"]
mod status;

/// Serves until the standard input ends.
pub(crate) fn run(row: &Row, turns: u64) {
    if row.kind == Kind::Call {
        return call(turns);
    }
    let server = support::runtime();
    let listener = server.block_on(TcpListener::bind("127.0.0.1:0")).expect("there is a free port");
    writeln!(io::stdout(), "{}", listener.local_addr().expect("it is bound")).expect("the client reads this");
    std::thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    server.block_on(accept(row.kind, listener));
}

async fn accept(kind: Kind, listener: TcpListener) {
    let published = Hub::new();
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("it is a TCP stream");
        match kind {
            Kind::Call => {}
            Kind::Tcp => drop(tokio::spawn(echo_bytes(stream))),
            Kind::Deflate | Kind::Echo(_) | Kind::Handshake => {
                serve(stream, WebSocketLayer::new(support::echo).into_service())
            }
            Kind::WriteJson => serve(stream, WebSocketLayer::new(write_json).into_service()),
            Kind::Publish(_) => {
                let hub = published.clone();
                let member = move |ws| publish(ws, hub.clone());
                // Members are silent for as long as the row takes: pings would count on a machine that is slow alone.
                let keepalive = Keepalive::default().interval(LONG).timeout(2 * LONG);
                let layer = WebSocketLayer::new(member).upgrader(Upgrader::new().keepalive(keepalive));
                serve(stream, layer.into_service());
            }
        }
    }
}

/// hyper's HTTP/1.1 and HTTP/2 server, as axum runs it.
fn serve<S, B>(stream: TcpStream, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    tokio::spawn(support::serve_connection(support::http_server(), stream, service));
}

async fn echo_bytes(mut stream: TcpStream) -> io::Result<()> {
    let mut bytes = [0; 1024];
    loop {
        let len = stream.read(&mut bytes).await?;
        if len == 0 {
            return Ok(());
        }
        stream.write_all(&bytes[..len]).await?;
    }
}

async fn write_json(ws: Manager) -> Result<(), Error> {
    let status = Status::of(1);
    while let Some(order) = ws.recv().await? {
        for _ in 0..support::ordered(order.as_bytes()) {
            ws.write_json(&status, LONG).await?;
        }
    }
    Ok(())
}

/// The first message comes back, and what comes later is published.
async fn publish(ws: Manager, hub: Hub) -> Result<(), Error> {
    let topic = hub.topic("all");
    let Some(first) = ws.recv().await? else { return Ok(()) };
    let _seat = topic.join(&ws, Overflow::Close)?;
    ws.send(first).await?;
    while let Some(message) = ws.recv().await? {
        topic.publish(message)?;
    }
    Ok(())
}

/// Requests are made for the longer run either way, and dropped: only the calls count.
fn call(turns: u64) {
    let page = |_: Request<()>| -> Ready<Result<Response<Full<Bytes>>, Infallible>> {
        ready(Ok(Response::new(Full::from("hello"))))
    };
    let mut layered = WebSocketLayer::new(support::echo).path("/ws").layer(service_fn(page));
    let request = || {
        Request::get("/index.html")
            .header("host", "localhost")
            .header("accept", "text/html,application/xhtml+xml")
            .header("connection", "keep-alive")
            .body(())
            .expect("the request is valid")
    };
    let mut requests: Vec<_> = (0..MOST_CALLS).map(|_| request()).collect();
    for request in requests.drain(..turns as usize) {
        let _ = black_box(layered.call(request).now_or_never());
    }
    println!();
}

const LONG: Duration = Duration::from_secs(60);
/// The turns of the longer run.
const MOST_CALLS: usize = 2000;
