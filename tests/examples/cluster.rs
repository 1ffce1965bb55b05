//! `cluster`: two servers behind a proxy that are restarted one after the other, and clients that lose nothing.

#![expect(clippy::unwrap_used, reason = "helpers are part of their tests, and clippy allows it only in test functions")]

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tower_websocket::{Backoff, Connector, Hub, Redis};

use crate::PATIENCE;
use crate::process::{Example, command};
use crate::programs::{find, free_port, is_listening};
use crate::skipped::skipped;

/// The servers are asked for often, so that one that is back has clients soon.
const HAPROXY: &str = "
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 60s
    retries 5
    option redispatch
frontend front
    bind 127.0.0.1:FRONT
    default_backend app
backend app
    balance roundrobin
    default-server check inter 50ms rise 1 fall 1
    server one 127.0.0.1:ONE
    server two 127.0.0.1:TWO
";

/// A program that listens on a port of its own.
async fn start(name: &str, arguments: impl Fn(u16) -> Vec<String>) -> Option<(Child, u16)> {
    let Some(program) = find(name) else {
        skipped(name, "it is not installed");
        return None;
    };
    for _ in 0..10 {
        let port = free_port();
        let mut command = Command::new(&program);
        command.args(arguments(port)).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        if is_listening(&mut child, port).await {
            return Some((child, port));
        }
    }
    panic!("{name} does not start; what it says stands above");
}

async fn server(port: u16, broker: &str) -> Example {
    let mut command = command("cluster", &format!("127.0.0.1:{port}"));
    command.env("BROKER", broker);
    Example::run("cluster", command).await
}

/// The offset in a message, and what was said. `None`: it is of another kind.
fn parse(message: &str) -> Option<(String, usize)> {
    let rest = message.strip_prefix(r#"{"position":""#)?;
    let (position, rest) = rest.split_once('"')?;
    let (_, text) = rest.split_once(r#""text":""#)?;
    Some((position.to_owned(), text.split_once('"')?.0.parse().ok()?))
}

/// Receives all numbers up to the last one, over as many sessions as it takes.
async fn receive_all(port: u16, last: Arc<AtomicUsize>, received: Arc<AtomicUsize>) -> (Vec<usize>, usize) {
    let quick = Backoff::default().initial(Duration::from_millis(20)).max(Duration::from_millis(200));
    let quick = quick.after_restart(Duration::from_millis(1), Duration::from_millis(100));
    let url = format!("ws://127.0.0.1:{port}/ws?name=client");
    let mut sessions = Connector::new().sessions(&*url, quick);
    let (mut numbers, mut count) = (Vec::new(), 0);
    while let Some(ws) = sessions.next().await.unwrap() {
        count += 1;
        while let Ok(Some(message)) = ws.recv().await {
            let text = message.as_text().unwrap();
            assert!(!text.contains("gap"), "{text}");
            let Some((position, number)) = parse(text) else { continue };
            sessions.set_target(format!("{url}&after={position}").try_into().unwrap());
            numbers.push(number);
            received.fetch_max(number, Ordering::Relaxed);
            if number == last.load(Ordering::Relaxed) {
                return (numbers, count);
            }
        }
    }
    (numbers, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_behind_a_proxy_loses_nothing() {
    let redis =
        |port: u16| ["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()].map(str::to_owned).into();
    let Some((_redis, redis)) = start("redis-server", redis).await else { return };
    let broker = format!("redis://127.0.0.1:{redis}/");
    let ports = [free_port(), free_port()];
    let mut servers = vec![server(ports[0], &broker).await, server(ports[1], &broker).await];
    let configuration = Configuration::new();
    let haproxy = |port: u16| {
        let text = HAPROXY.replace("FRONT", &port.to_string());
        let text = text.replace("ONE", &ports[0].to_string()).replace("TWO", &ports[1].to_string());
        std::fs::write(&configuration.0, text).unwrap();
        ["-db", "-q", "-f", configuration.0.to_str().unwrap()].map(str::to_owned).into()
    };
    let Some((_haproxy, front)) = start("haproxy", haproxy).await else { return };

    // Not known before the last one is published.
    let last = Arc::new(AtomicUsize::new(usize::MAX));
    let received = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        clients.spawn(receive_all(front, last.clone(), received.clone()));
    }
    let chat = Hub::with(Redis::connect(&broker).await.unwrap()).topic("chat");
    let is_over = Arc::new(AtomicBool::new(false));
    let publisher = tokio::spawn({
        let is_over = is_over.clone();
        async move {
            let mut ticks = interval(Duration::from_millis(5));
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                ticks.tick().await;
                chat.publish(format!(r#"{{"type":"said","name":"publisher","text":"{number}"}}"#)).unwrap();
                number += 1;
            }
            // Some more, as the last one is to be known before it is received.
            last.store(number, Ordering::Relaxed);
            chat.publish(format!(r#"{{"type":"said","name":"publisher","text":"{number}"}}"#)).unwrap();
            chat
        }
    });
    let more = async |count: usize| {
        let from = received.load(Ordering::Relaxed);
        timeout(PATIENCE, async {
            while received.load(Ordering::Relaxed) < from + count {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("clients go on receiving");
    };
    more(50).await;
    for (index, port) in ports.into_iter().enumerate() {
        servers[index].terminate().await;
        // The clients are at the other server meanwhile.
        more(50).await;
        assert!(servers.remove(index).ended().await.success());
        servers.insert(index, server(port, &broker).await);
        more(50).await;
    }
    is_over.store(true, Ordering::Relaxed);
    let chat = publisher.await.unwrap();
    let clients = timeout(PATIENCE, clients.join_all()).await.expect("all get everything");
    for (numbers, sessions) in clients {
        assert!(sessions > 1, "each server was restarted");
        let first = numbers[0];
        assert_eq!(
            numbers,
            (first..first + numbers.len()).collect::<Vec<_>>(),
            "nothing is lost, repeated or in another order"
        );
    }
    drop(chat);
}

/// A file that goes with this.
struct Configuration(PathBuf);

impl Configuration {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("tower-websocket-cluster-{}", std::process::id())))
    }
}

impl Drop for Configuration {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
