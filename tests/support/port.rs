//! Ports of this machine.

use std::net::{SocketAddr, UdpSocket};

use tokio::net::TcpSocket;

/// A port for a program that a test starts, whatever other tests do, also those of other processes.
///
/// It is below the ports that the kernel gives to outgoing connections. While this is not dropped, no other test has it: the
/// UDP port of the same number, which no program uses, belongs to one of them.
pub(crate) struct Port {
    pub(crate) number: u16,
    _lock: UdpSocket,
}

impl Port {
    pub(crate) fn reserve() -> Self {
        loop {
            let number = rand::random_range(10_000..30_000);
            let is_free = || std::net::TcpListener::bind(("127.0.0.1", number)).is_ok();
            if let Ok(lock) = UdpSocket::bind(("127.0.0.1", number))
                && is_free()
            {
                return Self { number, _lock: lock };
            }
        }
    }
}

/// An address at which nothing listens: connections are refused while the socket is not dropped.
pub(crate) fn refusing() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().expect("there is IPv4");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port is free");
    let address = socket.local_addr().expect("it is bound");
    (socket, address)
}
