//! What a WebSocket runs over.

use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;

/// A transport, its version of HTTP included.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Http2,
    Http2Tls,
    Memory,
    Tcp,
    Tls,
    Unix,
}

impl Over {
    pub(crate) const ALL: [Self; 6] = [Self::Tcp, Self::Tls, Self::Http2, Self::Http2Tls, Self::Unix, Self::Memory];
    /// Those over TCP.
    pub(crate) const TCP: [Self; 4] = [Self::Tcp, Self::Tls, Self::Http2, Self::Http2Tls];

    pub(crate) fn is_http2(self) -> bool {
        matches!(self, Self::Http2 | Self::Http2Tls)
    }

    pub(crate) fn is_tls(self) -> bool {
        matches!(self, Self::Http2Tls | Self::Tls)
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http2 => "HTTP/2",
            Self::Http2Tls => "HTTP/2 over TLS",
            Self::Memory => "memory",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Unix => "Unix socket",
        })
    }
}

/// What is set on the TCP socket of a scripted peer.
#[derive(Clone, Copy, Default)]
pub(crate) struct Socket {
    /// `SO_RCVBUF`. The kernel's default grows up to megabytes.
    pub(crate) receive_buffer: Option<u32>,
    /// Dropping it sends a reset in place of a FIN.
    pub(crate) reset_on_drop: bool,
}

impl Socket {
    /// The small buffer of a slow peer.
    pub(crate) const SMALL: Self = Self { receive_buffer: Some(16 * 1024), reset_on_drop: false };
    pub(crate) const RESETTING: Self = Self { receive_buffer: None, reset_on_drop: true };

    pub(crate) fn create(self) -> TcpSocket {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_nodelay(true).unwrap();
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        if self.reset_on_drop {
            socket.set_zero_linger().unwrap();
        }
        socket
    }
}

/// Any stream of bytes.
pub(crate) type Stream = Box<dyn Io>;

pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Io for T {}
