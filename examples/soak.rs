//! Many idle connections in one process: what they cost in memory and time, and whether a publication reaches them all.
//!
//! `cargo run --release --example soak -- 1000 10000` measures that many connections, each number in a server process of its
//! own, and prints a line for each; without numbers it holds as many as the limit on open files allows. Clients are
//! processes of their own, one for each 10,000 connections and each at a loopback address of its own, so that ports
//! suffice. A number takes about half a minute. Linux only, as it reads `/proc`.
//!
//! | column | meaning |
//! | --- | --- |
//! | heap | bytes on the server's heap for each connection, with default settings but for `drop_request` |
//! | RSS | the same for all memory of the process; sockets and their buffers are the kernel's, and not in it |
//! | CPU | what the keepalive at the default interval takes, in percent of a core |
//! | per ping | the same for each ping and its answer, in microseconds |
//! | all reached | from the first `send` of 1 KiB until the last client has received it |

#[path = "server/mod.rs"]
mod server;

use std::env;
use std::error::Error as StdError;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tower_websocket::{Connector, Keepalive, Manager, Message, WebSocketConfig, WebSocketLayer};

type Result<T> = std::result::Result<T, Box<dyn StdError + Send + Sync>>;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["server", connections] => serve(connections),
        ["client", address, connections] => connect(address, connections),
        ref numbers => measure_each(numbers),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures these numbers of connections one after the other.
fn measure_each(numbers: &[&str]) -> Result<()> {
    let most = open_files()?.saturating_sub(SPARE_FILES);
    let numbers = match numbers {
        [] => vec![most],
        numbers => numbers.iter().map(|number| number.parse()).collect::<std::result::Result<_, _>>()?,
    };
    println!("connections | heap B | RSS B | CPU % | per ping µs | all reached ms");
    for connections in numbers {
        if connections > most {
            println!("{connections:>11} | one process may hold {most} here (`ulimit -n`)");
            continue;
        }
        let status = Command::new(env::current_exe()?).args(["server", &connections.to_string()]).status()?;
        if !status.success() {
            return Err(format!("{connections} connections: {status}").into());
        }
    }
    Ok(())
}

/// The server's process: holds the connections, and measures.
fn serve(connections: &str) -> Result<()> {
    let connections: usize = connections.parse()?;
    let runtime = runtime()?;
    let mut server = runtime.block_on(Server::start(connections))?;
    let rss = rss()?;
    let mut opened = Ok(());
    let heap = measure(|| opened = runtime.block_on(server.opened())).bytes_current;
    opened?;
    let rss = self::rss()? - rss;
    let each = |bytes: i64| bytes / connections as i64;

    let (start, before) = (Instant::now(), cpu_time()?);
    runtime.block_on(async { sleep(IDLE_TIME).await });
    let busy = (cpu_time()? - before).as_secs_f64() / start.elapsed().as_secs_f64();
    let pings_per_second = connections as f64 / INTERVAL.as_secs_f64();

    let reached = runtime.block_on(server.publish())?;
    println!(
        "{connections:>11} | {:>6} | {:>5} | {:>5.2} | {:>11.2} | {:>14}",
        each(heap),
        each(rss),
        busy * 100.0,
        busy * 1e6 / pings_per_second,
        reached.as_millis()
    );
    Ok(())
}

struct Server {
    connections: usize,
    handles: Arc<Mutex<Vec<Manager>>>,
    clients: Vec<Child>,
    reports: mpsc::UnboundedReceiver<String>,
}

impl Server {
    async fn start(connections: usize) -> Result<Self> {
        let handles = Arc::new(Mutex::new(Vec::with_capacity(connections)));
        let layer = WebSocketLayer::new({
            let handles = handles.clone();
            move |ws: Manager| {
                ws.drop_request();
                handles.lock().unwrap_or_else(PoisonError::into_inner).push(ws.clone());
                async move { ws.ignore_incoming().await.map(drop) }
            }
        });
        let service = layer.into_service();
        let (sender, reports) = mpsc::unbounded_channel();
        let mut clients = Vec::new();
        for number in 0..connections.div_ceil(CLIENT_CONNECTIONS) {
            let listener = TcpListener::bind(format!("127.0.0.{}:0", number + 1)).await?;
            let address = listener.local_addr()?.to_string();
            tokio::spawn(server::serve(listener, server::http().http1_only(), service.clone()));
            let count = CLIENT_CONNECTIONS.min(connections - number * CLIENT_CONNECTIONS).to_string();
            let mut client =
                Command::new(env::current_exe()?).args(["client", &address, &count]).stdout(Stdio::piped()).spawn()?;
            let lines = BufReader::new(client.stdout.take().ok_or("no standard output")?).lines();
            let sender = sender.clone();
            thread::spawn(move || lines.map_while(std::result::Result::ok).try_for_each(|line| sender.send(line)));
            clients.push(client);
        }
        Ok(Self { connections, handles, clients, reports })
    }

    /// Waits until all clients are connected, and each connection has had its first ping.
    async fn opened(&mut self) -> Result<()> {
        self.reported(CONNECTED).await?;
        sleep(INTERVAL + Duration::from_secs(1)).await;
        let opened = self.handles.lock().unwrap_or_else(PoisonError::into_inner).len();
        if opened != self.connections {
            return Err(format!("{opened} of {} connections opened", self.connections).into());
        }
        Ok(())
    }

    /// Sends a message to all, and returns when the last client has received it. Fails where one does not.
    async fn publish(&mut self) -> Result<Duration> {
        let handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let message = Message::from(Bytes::from(vec![b'x'; 1024]));
        let start = Instant::now();
        for ws in &handles {
            ws.send(message.clone()).await?;
            // The connections' tasks share this thread.
            tokio::task::consume_budget().await;
        }
        self.reported(RECEIVED).await?;
        Ok(start.elapsed())
    }

    /// Waits for this report of every client.
    async fn reported(&mut self, expected: &str) -> Result<()> {
        for _ in 0..self.clients.len() {
            let report = timeout(PATIENCE, self.reports.recv()).await?.ok_or("a client has ended")?;
            if report != expected {
                return Err(format!("\"{report}\" instead of \"{expected}\"").into());
            }
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for client in &mut self.clients {
            let _ = client.kill();
            let _ = client.wait();
        }
    }
}

/// A client's process: holds its connections, and tells when all are open, and when all have received the message.
fn connect(address: &str, connections: &str) -> Result<()> {
    let connections: usize = connections.parse()?;
    runtime()?.block_on(async {
        // The server's pings are all that is measured.
        let connector = Connector::new().config(WebSocketConfig::new().keepalive(Keepalive::disabled()));
        let at_a_time = Arc::new(Semaphore::new(32));
        let opened = Arc::new(AtomicUsize::new(0));
        let received = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..connections {
            let permit = at_a_time.clone().acquire_owned().await?;
            let (connector, url) = (connector.clone(), format!("ws://{address}/"));
            let (opened, received) = (opened.clone(), received.clone());
            tasks.spawn(async move {
                let ws = connector.connect(url).await?;
                drop(permit);
                if opened.fetch_add(1, Ordering::Relaxed) + 1 == connections {
                    println!("{CONNECTED}");
                }
                while let Some(message) = ws.recv().await? {
                    if message.len() == 1024 && received.fetch_add(1, Ordering::Relaxed) + 1 == connections {
                        println!("{RECEIVED}");
                    }
                }
                Err::<(), _>(Box::<dyn StdError + Send + Sync>::from("the server has closed a connection"))
            });
        }
        match tasks.join_next().await {
            Some(first) => first?,
            None => Ok(()),
        }
    })
}

/// One thread, whose heap and time can be told from the rest.
fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// How many files this process may have open.
fn open_files() -> Result<usize> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find(|line| line.starts_with("Max open files")).ok_or("no limit on open files")?;
    Ok(line.split_whitespace().nth(3).ok_or("no limit on open files")?.parse().unwrap_or(1_000_000))
}

/// The memory of this process, in bytes.
fn rss() -> Result<i64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no VmRSS")?.parse::<i64>()? * 1024)
}

/// How long the main thread has run, which does all the work.
fn cpu_time() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/schedstat")?;
    Ok(Duration::from_nanos(stat.split_whitespace().next().ok_or("no time")?.parse()?))
}

const CONNECTED: &str = "connected";
const RECEIVED: &str = "received";
/// How many connections a client's process has: less than an address has ports.
const CLIENT_CONNECTIONS: usize = 10_000;
/// What a process needs beside its connections.
const SPARE_FILES: usize = 200;
/// The keepalive's interval by default.
const INTERVAL: Duration = Duration::from_secs(3);
/// How long the idle connections are watched.
const IDLE_TIME: Duration = Duration::from_secs(15);
/// How long clients may take.
const PATIENCE: Duration = Duration::from_secs(120);
