//! A connection of this crate in either role, and its scripted peer.

use std::fmt;

use tower_websocket::{Connector, Manager, Role, Upgrader};

use super::{Over, Peer, Proxy, Socket, connect_through, handed_over, proxy, serve};

/// What lies between the two.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// Nothing but the kernel. The peer has such a socket.
    Direct(Socket),
    /// A proxy which slows down what our side sends.
    Proxied { rate: usize, buffer: usize },
    /// A proxy which passes so many bytes on, and then nothing.
    Dying { after: usize, buffer: usize },
}

impl Way {
    pub(crate) const DIRECT: Self = Self::Direct(Socket { receive_buffer: None, reset_on_drop: false });
    pub(crate) const SMALL: Self = Self::Direct(Socket::SMALL);

    fn proxy(self, sender: Role) -> Option<Proxy> {
        match self {
            Self::Direct(_) => None,
            Self::Proxied { rate, buffer } => Some(Proxy::new(sender, rate, buffer)),
            Self::Dying { after, buffer } => Some(Proxy { dies_after: after, ..Proxy::new(sender, 1 << 30, buffer) }),
        }
    }

    fn socket(self) -> Socket {
        match self {
            Self::Direct(socket) => socket,
            Self::Dying { .. } | Self::Proxied { .. } => Socket::default(),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct(Socket { receive_buffer: Some(bytes), .. }) => write!(f, "a receive buffer of {bytes}"),
            Self::Direct(_) => write!(f, "directly"),
            Self::Proxied { rate, buffer } => write!(f, "a proxy of {rate} B/s with {buffer} B"),
            Self::Dying { after, .. } => write!(f, "a proxy that dies after {after} B"),
        }
    }
}

/// Both roles over each of these.
pub(crate) fn sides(transports: &[Over]) -> impl Iterator<Item = (Role, Over)> + '_ {
    transports.iter().flat_map(|&over| [(Role::Server, over), (Role::Client, over)])
}

/// Opens a connection of ours in this role. On the server, its handler stays until the end.
pub(crate) async fn open(role: Role, over: Over, way: Way, settings: Upgrader) -> (Manager, Peer) {
    let socket = way.socket();
    match role {
        Role::Client => {
            let connector = Connector::new().config(settings.get_config().clone());
            connect_through(over, connector, socket, way.proxy(role)).await
        }
        Role::Server => {
            let (layer, mut managers) = handed_over();
            let layer = layer.upgrader(settings);
            let mut server = serve(over, layer).await;
            if let Some(settings) = way.proxy(role) {
                server = server.behind(proxy(settings, server.address()).await);
            }
            let peer = server.open(socket).await;
            (managers.recv().await.unwrap(), peer)
        }
    }
}
