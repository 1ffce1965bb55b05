//! Somebody who uses everything that a port offers, all at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_util::either::Either;
use tonic::body::Body;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::server::HealthReporter;
use tower::service_fn;
use tower_websocket::{CloseCode, Error, Manager, Message, Role};

use crate::shared::quiet;
use crate::support::KEY;

/// What the visited port serves at `/ws`: first the version of HTTP, then every message again. With `?unread`, it never
/// reads.
pub(crate) async fn endpoint(ws: Manager) -> Result<(), Error> {
    if ws.request().uri.query() == Some("unread") {
        return ws.done().await.map(drop);
    }
    ws.send(format!("{:?}", ws.request().version)).await?;
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

/// Knows a port, and whether it speaks TLS.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

/// An HTTP connection, over which requests go.
pub(crate) enum Requests {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Visitor {
    /// Opens WebSockets over both versions of HTTP, and sends plain requests, and calls gRPC where it is served; none of
    /// them ends before each has had an answer. Over HTTP/2 they share one connection.
    pub(crate) async fn uses_everything(&self, page: &'static str, grpc: Option<&HealthReporter>) {
        timeout(PATIENCE, async {
            let mut shared = self.http2().await;
            assert_eq!(shared.get("/").await, page);
            self.uses_everything_over(shared, page, grpc).await;
        })
        .await
        .expect("everything is answered");
    }

    /// The same on an HTTP/2 connection where one WebSocket already has all that the server lets it have, and is not read.
    pub(crate) async fn uses_everything_beside_an_unread_socket(
        &self,
        page: &'static str,
        grpc: Option<&HealthReporter>,
    ) {
        timeout(PATIENCE, async {
            let mut shared = self.http2().await;
            assert_eq!(shared.get("/").await, page);
            let unread = shared.open("/ws?unread").await;
            let flood = tokio::spawn(flood(unread.clone()));
            loop {
                let sent = unread.stats().wire_sent;
                assert_eq!(shared.get("/").await, page);
                if sent >= STREAM_WINDOW && unread.stats().wire_sent == sent {
                    break;
                }
            }
            self.uses_everything_over(shared, page, grpc).await;
            assert!(unread.end().is_none());
            flood.abort();
        })
        .await
        .expect("everything is answered");
    }

    async fn uses_everything_over(&self, mut shared: Requests, page: &'static str, grpc: Option<&HealthReporter>) {
        let mut sockets = Vec::new();
        for _ in 0..3 {
            sockets.push(("HTTP/1.1", self.http1().await.open("/ws").await));
            sockets.push(("HTTP/2.0", shared.open("/ws").await));
        }
        #[cfg(feature = "client")]
        sockets.extend(self.own_clients().await);

        let mut tasks = JoinSet::new();
        let calls = if grpc.is_some() { 2 } else { 0 };
        let everybody = Arc::new(Barrier::new(sockets.len() + 2 + calls));
        for (number, (version, ws)) in sockets.into_iter().enumerate() {
            tasks.spawn(echoes(ws, version, number, everybody.clone()));
        }
        tasks.spawn(reads(self.http1().await, page, everybody.clone()));
        if let (Some(reporter), Requests::Http2(requests)) = (grpc, &shared) {
            tasks.spawn(calls_unary(requests.clone(), everybody.clone()));
            tasks.spawn(calls_streaming(requests.clone(), reporter.clone(), everybody.clone()));
        }
        tasks.spawn(reads(shared, page, everybody));
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
    }

    /// This crate's client: it offers compression.
    #[cfg(feature = "client")]
    async fn own_clients(&self) -> Vec<(&'static str, Manager)> {
        use tower_websocket::Connector;

        let mut sockets = Vec::new();
        for (version, protocol, client) in
            [("HTTP/1.1", "http/1.1", Connector::new()), ("HTTP/2.0", "h2", Connector::new().http2())]
        {
            let io = self.connect(protocol).await;
            sockets.push((version, client.connect_over(io, "ws://localhost/ws").await.unwrap()));
            #[cfg(feature = "rustls")]
            if let Some(config) = &self.tls {
                let url = format!("wss://localhost:{}/ws", self.address.port());
                sockets.push((version, client.tls_config(config.clone()).connect(url).await.unwrap()));
            }
        }
        sockets
    }

    async fn connect(&self, protocol: &str) -> Either<TcpStream, TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let Some(config) = &self.tls else { return Either::Left(stream) };
        let mut config = ClientConfig::clone(config);
        config.alpn_protocols = vec![protocol.into()];
        let stream =
            TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
        Either::Right(stream)
    }

    pub(crate) async fn http1(&self) -> Requests {
        let (requests, connection) = http1::handshake(TokioIo::new(self.connect("http/1.1").await)).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        Requests::Http1(requests)
    }

    pub(crate) async fn http2(&self) -> Requests {
        let io = TokioIo::new(self.connect("h2").await);
        let (requests, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        Requests::Http2(requests)
    }
}

impl Requests {
    pub(crate) async fn get(&mut self, path: &str) -> String {
        let request = match self {
            Self::Http1(_) => Request::get(path).header("host", "localhost"),
            Self::Http2(_) => Request::get(format!("http://localhost{path}")),
        };
        let response = self.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
    }

    pub(crate) async fn open(&mut self, path: &str) -> Manager {
        let (request, status) = match self {
            Self::Http1(_) => (
                Request::get(path)
                    .header("host", "localhost")
                    .header("connection", "upgrade")
                    .header("upgrade", "websocket")
                    .header("sec-websocket-key", KEY),
                StatusCode::SWITCHING_PROTOCOLS,
            ),
            Self::Http2(_) => (
                Request::connect(format!("http://localhost{path}"))
                    .version(Version::HTTP_2)
                    .extension(Protocol::from_static("websocket")),
                StatusCode::OK,
            ),
        };
        let request = request.header("sec-websocket-version", "13").body(Body::empty()).unwrap();
        let response = self.send(request).await;
        assert_eq!(response.status(), status);
        let upgraded = hyper::upgrade::on(response).await.unwrap();
        let settings = quiet();
        Manager::from_upgraded(TokioIo::new(upgraded), Role::Client, settings.get_config())
    }

    pub(crate) async fn send(&mut self, request: Request<Body>) -> Response<Incoming> {
        match self {
            Self::Http1(requests) => requests.send_request(request).await.unwrap(),
            Self::Http2(requests) => requests.send_request(request).await.unwrap(),
        }
    }
}

/// Sends small messages, of which a window holds the most, until that fails.
pub(crate) async fn flood(ws: Manager) {
    while ws.send("small").await.is_ok() && ws.flush().await.is_ok() {}
}

async fn echoes(ws: Manager, version: &'static str, number: usize, everybody: Arc<Barrier>) {
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text(version)));
    for round in 0..ROUNDS {
        let messages = [Message::text(format!("{number} {round}")), Message::binary(vec![round; 50_000])];
        for message in messages {
            ws.send(message.clone()).await.unwrap();
            assert_eq!(ws.recv().await.unwrap(), Some(message));
        }
        if round == 0 {
            everybody.wait().await;
        }
    }
    ws.close_with(CloseCode::GOING_AWAY, "enough").await.unwrap();
    let frame = ws.done().await.unwrap();
    assert_eq!(frame.code(), CloseCode::GOING_AWAY);
}

async fn reads(mut requests: Requests, page: &str, everybody: Arc<Barrier>) {
    for round in 0..ROUNDS {
        assert_eq!(requests.get("/").await, page);
        if round == 0 {
            everybody.wait().await;
        }
    }
}

async fn calls_unary(requests: http2::SendRequest<Body>, everybody: Arc<Barrier>) {
    let mut health = health(requests);
    for round in 0..ROUNDS {
        let unknown = health.check(HealthCheckRequest { service: "unknown".to_owned() }).await.unwrap_err();
        assert_eq!(unknown.code(), tonic::Code::NotFound);
        let known = health.check(HealthCheckRequest { service: String::new() }).await.unwrap();
        assert_eq!(known.into_inner().status, ServingStatus::Serving as i32);
        if round == 0 {
            everybody.wait().await;
        }
    }
}

async fn calls_streaming(requests: http2::SendRequest<Body>, reporter: HealthReporter, everybody: Arc<Barrier>) {
    reporter.set_service_status("watched", ServingStatus::Unknown).await;
    let request = HealthCheckRequest { service: "watched".to_owned() };
    let mut updates = health(requests).watch(request).await.unwrap().into_inner();
    assert_eq!(updates.message().await.unwrap().unwrap().status, ServingStatus::Unknown as i32);
    everybody.wait().await;
    for round in 0..ROUNDS {
        let status = if round % 2 == 0 { ServingStatus::Serving } else { ServingStatus::NotServing };
        reporter.set_service_status("watched", status).await;
        assert_eq!(updates.message().await.unwrap().unwrap().status, status as i32);
    }
}

/// tonic's client over a connection of hyper's.
pub(crate) fn health(
    requests: http2::SendRequest<Body>,
) -> HealthClient<
    impl tower::Service<
        Request<Body>,
        Response = Response<Incoming>,
        Error = hyper::Error,
        Future: Future<Output = Result<Response<Incoming>, hyper::Error>> + Send,
    >,
> {
    let send = move |request| {
        let mut requests = requests.clone();
        async move { requests.send_request(request).await }
    };
    HealthClient::with_origin(service_fn(send), "http://localhost".parse().unwrap())
}

const ROUNDS: u8 = 10;

/// As `net::http_server` sets it.
const STREAM_WINDOW: u64 = 64 * 1024;

/// How long anything may take on a busy machine, before a test fails instead of hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
