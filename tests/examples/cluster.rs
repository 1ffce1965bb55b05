//! `cluster`: two servers behind a proxy that are restarted one after the other, and clients that lose nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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

    // Not known before the last one is published.
    let last = Arc::new(AtomicUsize::new(usize::MAX));
    let received = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        clients.spawn(receive_all(haproxy.port, last.clone(), received.clone()));
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
