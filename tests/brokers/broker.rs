//! A broker as a process of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tower_websocket::{Hub, Nats, Redis};

use crate::PATIENCE;
use crate::program::Program;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Redis,
    Nats,
}

pub(crate) struct Broker {
    kind: Kind,
    program: Program,
}

impl Broker {
    /// `None`, and a sentence, where it is not installed.
    pub(crate) async fn start(kind: Kind) -> Option<Self> {
        // Each write of Redis is on the disk before it is answered.
        let redis = "--bind 127.0.0.1 --port PORT --dir DIRECTORY --appendonly yes --appendfsync always --save";
        let redis: Vec<_> = redis.split(' ').chain([""]).collect();
        let nats: Vec<_> = "-a 127.0.0.1 -p PORT -js -sd DIRECTORY -l DIRECTORY/log".split(' ').collect();
        let program = match kind {
            Kind::Redis => Program::start("redis-server", &redis, &[]).await,
            Kind::Nats => Program::start("nats-server", &nats, &[]).await,
        };
        Some(Self { kind, program: program? })
    }

    pub(crate) fn port(&self) -> u16 {
        self.program.port
    }

    /// A hub of one of many servers.
    pub(crate) async fn hub(&self) -> Hub {
        self.hub_by(self.port()).await
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
        self.program.kill().await;
    }

    /// Starts it again, with the data that it had.
    pub(crate) async fn restart(&mut self) {
        self.program.restart().await;
    }

    fn data(&self) -> PathBuf {
        self.program.directory.join(match self.kind {
            Kind::Redis => "appendonlydir",
            Kind::Nats => "jetstream",
        })
    }

    /// Forgets everything, while it does not run.
    pub(crate) fn lose_data(&self) {
        std::fs::remove_dir_all(self.data()).unwrap();
    }

    /// Keeps the data as it is now, while it does not run, for [`go_back`](Self::go_back).
    pub(crate) fn save_data(&self) {
        copy(&self.data(), &self.data().with_extension("saved"));
    }

    /// Has the data again that were saved.
    pub(crate) fn go_back(&self) {
        self.lose_data();
        copy(&self.data().with_extension("saved"), &self.data());
    }
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
