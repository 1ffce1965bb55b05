//! `cluster`: two servers behind a proxy that are restarted one after the other, and clients that lose nothing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tower_websocket::{Backoff, Connector, Hub, Redis};

use crate::PATIENCE;
use crate::port::Port;
use crate::process::{Example, command};
use crate::program::Program;

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
    bind 127.0.0.1:PORT
    default_backend app
backend app
    balance roundrobin
    default-server check inter 50ms rise 1 fall 1
    server one 127.0.0.1:ONE
    server two 127.0.0.1:TWO
";

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

/// How far clients are.
#[derive(Default)]
struct Progress {
    /// The latest number that each of them received, or 0.
    received: [AtomicUsize; CLIENTS],
    /// The number that is published last, once it is known.
    last: OnceLock<usize>,
}

impl Progress {
    fn latest(&self) -> usize {
        self.received.iter().map(|number| number.load(Ordering::Relaxed)).max().unwrap_or(0)
    }

    /// Whether the history has all that one of them misses, and much more, if this number is published.
    fn may_publish(&self, number: usize) -> bool {
        let received = self.received.iter().map(|number| number.load(Ordering::Relaxed));
        received.filter(|number| *number > 0).all(|latest| number <= latest + HISTORY / 2)
    }
}

const CLIENTS: usize = 8;
/// What the example keeps.
const HISTORY: usize = 100;

/// Receives all numbers up to the last one, over as many sessions as it takes.
async fn receive_all(port: u16, client: usize, progress: Arc<Progress>) -> (Vec<usize>, usize) {
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
            progress.received[client].store(number, Ordering::Relaxed);
            if Some(&number) == progress.last.get() {
                return (numbers, count);
            }
        }
    }
    (numbers, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_behind_a_proxy_loses_nothing() {
    let arguments = ["--bind", "127.0.0.1", "--save", "", "--port", "PORT"];
    let Some(redis) = Program::start("redis-server", &arguments, &[]).await else { return };
    let broker = format!("redis://127.0.0.1:{}/", redis.port);
    let reserved = [Port::reserve(), Port::reserve()];
    let ports = reserved.each_ref().map(|port| port.number);
    let mut servers = vec![server(ports[0], &broker).await, server(ports[1], &broker).await];
    let configuration = HAPROXY.replace("ONE", &ports[0].to_string()).replace("TWO", &ports[1].to_string());
    let arguments = ["-db", "-q", "-f", "configuration"];
    let Some(haproxy) = Program::start("haproxy", &arguments, &[("configuration", &configuration)]).await else {
        return;
    };

    let progress = Arc::new(Progress::default());
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(receive_all(haproxy.port, client, progress.clone()));
    }
    let chat = Hub::with(Redis::connect(&broker).await.unwrap()).topic("chat");
    let is_over = Arc::new(AtomicBool::new(false));
    let publisher = tokio::spawn({
        let (is_over, progress) = (is_over.clone(), progress.clone());
        async move {
            let publish = |number: usize| {
                chat.publish(format!(r#"{{"type":"said","name":"publisher","text":"{number}"}}"#)).unwrap();
            };
            let mut ticks = interval(Duration::from_millis(5));
            let mut number = 1;
            while !is_over.load(Ordering::Relaxed) {
                ticks.tick().await;
                // A client that takes long to come back, as on a machine that is busy, would miss more than there is.
                if progress.may_publish(number) {
                    publish(number);
                    number += 1;
                }
            }
            // Known before it is received.
            progress.last.set(number).unwrap();
            publish(number);
            chat
        }
    });
    let more = async |count: usize| {
        let from = progress.latest();
        timeout(PATIENCE, async {
            while progress.latest() < from + count {
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
