//! A proxy as a process of its own, with its files in a directory that goes with it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::PATIENCE;
use crate::certificate::Certificate;
use crate::skipped::skipped;

pub(crate) struct Program {
    pub(crate) port: u16,
    pub(crate) certificate: Certificate,
    directory: PathBuf,
    child: Child,
}

impl Program {
    /// Runs a proxy with this configuration, in which `PORT`, `BACKEND`, `PEM` and `DIRECTORY` stand for what they are. `None`,
    /// and a sentence, where it is not installed.
    pub(crate) async fn start(
        name: &str,
        arguments: impl Fn(&Path) -> Vec<String>,
        configuration: &str,
        backend: SocketAddr,
    ) -> Option<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);

        let Some(program) = find(name) else {
            skipped(name, "it is not installed");
            return None;
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("tower-websocket-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let certificate = Certificate::new(&directory);
        let file = directory.join("configuration");
        // A port that was free a moment ago may be taken: then with another.
        for _ in 0..10 {
            let port = free_port();
            let configuration = configuration
                .replace("PORT", &port.to_string())
                .replace("BACKEND", &backend.to_string())
                .replace("PEM", certificate.pem.to_str().unwrap())
                .replace("DIRECTORY", directory.to_str().unwrap());
            std::fs::write(&file, configuration).unwrap();
            let mut command = Command::new(&program);
            command.args(arguments(&file)).current_dir(&directory).kill_on_drop(true);
            command.stdin(Stdio::null()).stdout(Stdio::null());
            let mut child = command.spawn().unwrap();
            if is_listening(&mut child, port).await {
                return Some(Self { port, certificate, directory, child });
            }
        }
        panic!("{name} does not start; what it says stands above");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where Debian has servers, which is in no user's path.
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    directories.map(|directory| directory.join(name)).find(|program| program.is_file())
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Whether it listens. It does not where it has ended.
async fn is_listening(child: &mut Child, port: u16) -> bool {
    let connected = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        connected = timeout(PATIENCE, connected) => connected.is_ok(),
        _ = child.wait() => false,
    }
}
