//! Servers of others that tests start.

use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::time::{sleep, timeout};

/// Where a program is, if it is installed.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where Debian has servers, which is in no user's path.
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    directories.map(|directory| directory.join(name)).find(|program| program.is_file())
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

/// Whether it listens. It does not where it has ended.
pub(crate) async fn is_listening(child: &mut Child, port: u16) -> bool {
    let connected = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        connected = timeout(Duration::from_secs(60), connected) => connected.is_ok(),
        _ = child.wait() => false,
    }
}
