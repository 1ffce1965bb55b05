//! A broker as a process of its own, with its data in a directory that goes with it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use tower_websocket::{Hub, Nats, Redis};

use crate::PATIENCE;
use crate::programs::{find, free_port, is_listening};
use crate::skipped::skipped;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Redis,
    Nats,
}

pub(crate) struct Broker {
    kind: Kind,
    program: PathBuf,
    pub(crate) port: u16,
    directory: PathBuf,
    child: Child,
}

impl Broker {
    /// `None`, and a sentence, where it is not installed.
    pub(crate) async fn start(kind: Kind) -> Option<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);

        let name = match kind {
            Kind::Redis => "redis-server",
            Kind::Nats => "nats-server",
        };
        let Some(program) = find(name) else {
            skipped(name, "it is not installed");
            return None;
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("tower-websocket-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(directory.join("data")).unwrap();
        // A port that was free a moment ago may be taken: then with another.
        for _ in 0..10 {
            let port = free_port();
            let mut child = spawn(kind, &program, port, &directory);
            if is_listening(&mut child, port).await {
                return Some(Self { kind, program, port, directory, child });
            }
        }
        panic!("{name} does not start; what it says stands above");
    }

    /// A hub of one of many servers.
    pub(crate) async fn hub(&self) -> Hub {
        self.hub_by(self.port).await
    }

    /// A hub that reaches the broker by another port.
    pub(crate) async fn hub_by(&self, port: u16) -> Hub {
        // A broker that has just been started may be reading its data.
        let connecting = async {
            loop {
                let hub = match self.kind {
                    Kind::Redis => Redis::connect(format!("redis://127.0.0.1:{port}/")).await.map(Hub::with),
                    Kind::Nats => Nats::connect(format!("nats://127.0.0.1:{port}")).await.map(Hub::with),
                };
                if let Ok(hub) = hub {
                    return hub;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, connecting).await.expect("the broker answers")
    }

    /// Ends it at once.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Starts it again, with the data that it had.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(self.kind, &self.program, self.port, &self.directory);
        assert!(is_listening(&mut self.child, self.port).await, "it starts again");
    }

    /// Forgets everything, while it does not run.
    pub(crate) fn lose_data(&self) {
        std::fs::remove_dir_all(self.directory.join("data")).unwrap();
        std::fs::create_dir(self.directory.join("data")).unwrap();
    }

    /// Keeps the data as it is now, while it does not run, for [`go_back`](Self::go_back).
    pub(crate) fn save_data(&self) {
        copy(&self.directory.join("data"), &self.directory.join("saved"));
    }

    /// Has the data again that were saved.
    pub(crate) fn go_back(&self) {
        self.lose_data();
        copy(&self.directory.join("saved"), &self.directory.join("data"));
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn spawn(kind: Kind, program: &Path, port: u16, directory: &Path) -> Child {
    let data = directory.join("data");
    let data = data.to_str().unwrap();
    let port = port.to_string();
    let arguments = match kind {
        // Each write is on the disk before it is answered.
        Kind::Redis => [
            "--bind",
            "127.0.0.1",
            "--port",
            &port,
            "--dir",
            data,
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--save",
            "",
        ]
        .to_vec(),
        Kind::Nats => ["-a", "127.0.0.1", "-p", &port, "-js", "-sd", data].to_vec(),
    };
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
