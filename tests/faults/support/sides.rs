//! How the connection under test comes to be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::DuplexStream;
use tokio::sync::{mpsc, oneshot};
use tower_websocket::{Compression, Connector, Limits, Manager, Role, Shutdown, Upgrader, WebSocketLayer};

use super::run::{Report, User};
use super::transport::{Faulty, Observer};
use crate::shared::{Peer, http_server, serve_connection};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Setup {
    /// `Connector`, so with an opening handshake.
    Connector,
    /// `WebSocketLayer` under hyper.
    Layer,
    /// `Manager::from_upgraded`.
    Raw(Role),
}

impl Setup {
    pub(crate) fn role(self) -> Role {
        match self {
            Self::Connector => Role::Client,
            Self::Layer => Role::Server,
            Self::Raw(role) => role,
        }
    }

    pub(super) fn peer_role(self) -> Role {
        if self.role() == Role::Client { Role::Server } else { Role::Client }
    }
}

/// An open connection, whose user waits for `start`.
pub(super) struct Opened {
    pub(super) ws: Manager,
    pub(super) user: oneshot::Receiver<Report>,
    pub(super) start: oneshot::Sender<()>,
    pub(super) counted: Counted,
}

/// What a server counts.
#[derive(Default)]
pub(super) struct Counted {
    pub(super) shutdown: Option<Shutdown>,
    pub(super) ends: Arc<AtomicUsize>,
}

pub(super) async fn open(
    setup: Setup,
    deflate: bool,
    limits: Limits,
    user: User,
    peer: &mut Peer<DuplexStream>,
    transport: Faulty,
    observer: &Observer,
) -> Opened {
    let compression = Compression::default().server_context_takeover(true).client_context_takeover(true).threshold(0);
    let upgrader = Upgrader::new().limits(limits);
    let upgrader = if deflate { upgrader.compression(compression) } else { upgrader.without_compression() };
    let config = upgrader.get_config().clone();
    let extension = if deflate { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
    let (start, started) = oneshot::channel();
    let (reported, report) = oneshot::channel();
    let ws = match setup {
        Setup::Raw(role) => {
            assert!(!deflate, "without a handshake there is no extension");
            observer.arm();
            Manager::from_upgraded(transport, role, &config)
        }
        Setup::Connector => {
            let connector = Connector::new().config(config);
            let connecting = connector.connect_over(transport, "ws://localhost/");
            let (ws, ()) = tokio::join!(connecting, peer.answer(extension));
            ws.unwrap()
        }
        Setup::Layer => return serve(upgrader, user, peer, transport, observer, extension).await,
    };
    assert_eq!(ws.is_compressed(), deflate);
    observer.arm();
    let handle = ws.clone();
    tokio::spawn(async move {
        started.await.unwrap();
        let _ = reported.send(user.run(handle).await);
    });
    Opened { ws, user: report, start, counted: Counted::default() }
}

async fn serve(
    upgrader: Upgrader,
    user: User,
    peer: &mut Peer<DuplexStream>,
    transport: Faulty,
    observer: &Observer,
    extension: &str,
) -> Opened {
    let (start, started) = oneshot::channel();
    let (reported, report) = oneshot::channel();
    let (opened, mut managers) = mpsc::unbounded_channel();
    let counted = Counted { shutdown: Some(Shutdown::new()), ends: Arc::default() };
    let ends = counted.ends.clone();
    let once = std::sync::Mutex::new(Some((started, reported)));
    let layer = WebSocketLayer::new(move |ws: Manager| {
        let (started, reported) = once.lock().unwrap().take().unwrap();
        let _ = opened.send(ws.clone());
        async move {
            started.await.unwrap();
            let _ = reported.send(user.run(ws).await);
        }
    });
    let layer = layer.upgrader(upgrader).shutdown(counted.shutdown.as_ref().unwrap()).max_connections(1).on_end(
        move |_, _, _| {
            ends.fetch_add(1, Ordering::Relaxed);
        },
    );
    tokio::spawn(serve_connection(http_server(), transport, layer.into_service()));
    peer.ask(extension).await;
    let ws: Manager = managers.recv().await.unwrap();
    assert_eq!(ws.is_compressed(), !extension.is_empty());
    observer.arm();
    Opened { ws, user: report, start, counted }
}
