//! The processes of the clients, and what they report on their standard output.

use std::env;
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{CLIENT_CONNECTIONS, PATIENCE, Result};

/// As many processes as these connections need. Dropping it ends them.
pub(crate) struct Clients {
    processes: Vec<Child>,
    reports: mpsc::UnboundedReceiver<String>,
}

impl Clients {
    /// Starts them, each with a listener of its own, which `accept` gets.
    pub(crate) async fn start(role: &str, connections: usize, mut accept: impl FnMut(TcpListener)) -> Result<Self> {
        let (sender, reports) = mpsc::unbounded_channel();
        let mut clients = Self { processes: Vec::new(), reports };
        for number in 0..connections.div_ceil(CLIENT_CONNECTIONS) {
            let listener = TcpListener::bind(format!("127.0.0.{}:0", number + 1)).await?;
            let address = listener.local_addr()?.to_string();
            accept(listener);
            let count = CLIENT_CONNECTIONS.min(connections - number * CLIENT_CONNECTIONS).to_string();
            let mut client =
                Command::new(env::current_exe()?).args([role, &address, &count]).stdout(Stdio::piped()).spawn()?;
            let lines = BufReader::new(client.stdout.take().ok_or("no standard output")?).lines();
            let sender = sender.clone();
            thread::spawn(move || lines.map_while(std::result::Result::ok).try_for_each(|line| sender.send(line)));
            clients.processes.push(client);
        }
        Ok(clients)
    }

    /// Waits for this report of every client.
    pub(crate) async fn reported(&mut self, expected: &str) -> Result<()> {
        for _ in 0..self.processes.len() {
            let report = timeout(PATIENCE, self.reports.recv()).await?.ok_or("a client has ended")?;
            if report != expected {
                return Err(format!("\"{report}\" instead of \"{expected}\"").into());
            }
        }
        Ok(())
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        for client in &mut self.processes {
            let _ = client.kill();
            let _ = client.wait();
        }
    }
}

/// In a client's process: opens connections, 32 at a time, reports when all are open, and goes on until the first ends.
pub(crate) async fn connect_each<C, O, R>(connections: usize, open: impl Fn() -> O, run: impl Fn(C) -> R) -> Result<()>
where
    C: Send + 'static,
    O: Future<Output = Result<C>> + Send + 'static,
    R: Future<Output = Result<()>> + Send + 'static,
{
    let at_a_time = Arc::new(Semaphore::new(32));
    let mut opening = JoinSet::new();
    let mut running = JoinSet::new();
    for _ in 0..connections {
        let permit = at_a_time.clone().acquire_owned().await?;
        let open = open();
        opening.spawn(async move {
            let opened = open.await;
            drop(permit);
            opened
        });
        while let Some(opened) = opening.try_join_next() {
            running.spawn(run(opened??));
        }
    }
    while let Some(opened) = opening.join_next().await {
        running.spawn(run(opened??));
    }
    println!("{CONNECTED}");
    match running.join_next().await {
        Some(first) => first?,
        None => Ok(()),
    }
}

/// Counts up to the last connection, which reports.
pub(crate) struct Countdown(AtomicUsize);

impl Countdown {
    pub(crate) fn new(connections: usize) -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(connections)))
    }

    /// One connection less. Whether it was the last.
    pub(crate) fn one_less(&self) -> bool {
        self.0.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

pub(crate) const CONNECTED: &str = "connected";
pub(crate) const RECEIVED: &str = "received";
