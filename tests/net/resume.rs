//! Members of a topic whose connections break all the time: each gets everything once and in order, or is told of a gap.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tower_websocket::{Error, History, Hub, Manager, Message, Overflow, Position, Topic, WebSocketLayer};

use crate::support::{Over, Server, Socket, quiet, secs, serve};

const CLIENTS: usize = 10;
/// Messages per second.
const RATE: u64 = 1000;

/// Each client is a member after the position that it names.
async fn member(ws: Manager, topic: Topic) -> Result<(), Error> {
    let position = ws.request().headers.get("x-position").and_then(|position| position.to_str().ok()?.parse().ok());
    // A client that comes for the first time has missed nothing.
    let position: Position = position.unwrap_or_else(|| topic.position());
    let _seat = topic.resume(&ws, position, Overflow::Close)?;
    ws.ignore_incoming().await.map(drop)
}

/// What a client knows of the topic.
#[derive(Default)]
struct Client {
    last: Option<Position>,
    /// Offsets that it did not get, and that it was told of.
    jumped: Vec<(u64, u64)>,
    told: Vec<(u64, u64)>,
    received: u64,
}

impl Client {
    fn receive(&mut self, text: &str) {
        if let Some(gap) = text.strip_prefix("gap ") {
            let (from, to) = gap.split_once(' ').unwrap();
            let [from, to] = [from, to].map(|position| position.parse::<Position>().unwrap().offset());
            self.told.push((from, to));
            return;
        }
        let (position, number) = text.split_once(' ').unwrap();
        let position: Position = position.parse().unwrap();
        assert_eq!(position.offset(), number.parse::<u64>().unwrap());
        if let Some(last) = self.last {
            assert!(position.offset() > last.offset(), "{position} behind {last}");
            if position.offset() > last.offset() + 1 {
                self.jumped.push((last.offset(), position.offset() - 1));
            }
        }
        self.last = Some(position);
        self.received += 1;
    }

    /// Receives for so long, and then resets the TCP connection.
    async fn session(&mut self, server: &Server, time: Duration) {
        let more = self.last.map(|position| format!("X-Position: {position}\r\n"));
        let mut peer = server.open_with(Socket::RESETTING, more.as_deref().unwrap_or_default()).await;
        let receiving = async {
            loop {
                let frame = peer.recv().await.expect("the server ends nothing");
                assert_eq!(frame.first, 0x81, "{frame:?}");
                self.receive(std::str::from_utf8(&frame.payload).unwrap());
            }
        };
        let _ = timeout(time, receiving).await;
    }
}

/// The clients after so many connections were broken.
async fn run(history: usize, kills: usize) -> Vec<Client> {
    let topic = Hub::new()
        .topic("numbers")
        .history(History::last(history))
        .tell_gap(|gap| format!("gap {} {}", gap.after(), gap.up_to()).into())
        .encode(|message, position| Message::text(format!("{position} {}", message.as_text().unwrap_or_default())));
    let kept = topic.clone();
    let layer = WebSocketLayer::new(move |ws| member(ws, kept.clone())).upgrader(quiet());
    let server = serve(Over::Tcp, layer).await;

    let over = Arc::new(AtomicBool::new(false));
    let published = Arc::new(AtomicU64::new(0));
    let publisher = tokio::spawn({
        let (topic, over, published) = (topic.clone(), over.clone(), published.clone());
        async move {
            let mut ticks = interval(Duration::from_secs(1) / RATE as u32);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            while !over.load(Ordering::Relaxed) {
                ticks.tick().await;
                let number = published.fetch_add(1, Ordering::Relaxed) + 1;
                topic.publish(number.to_string()).unwrap();
            }
        }
    });
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let server = server.clone();
        clients.spawn(async move {
            let mut client = Client::default();
            for _ in 0..kills / CLIENTS {
                client.session(&server, secs(1).mul_f64(0.2 * rand::random::<f64>())).await;
            }
            (client, server)
        });
    }
    let clients = timeout(secs(120), clients.join_all()).await.expect("all is over in time");
    over.store(true, Ordering::Relaxed);
    publisher.await.unwrap();
    // All are away for longer than a short history reaches back.
    let before = published.load(Ordering::Relaxed);
    let last = before + 10;
    for number in before + 1..=last {
        topic.publish(number.to_string()).unwrap();
    }
    // The last session brings what is missing, up to the last publication.
    let mut all = Vec::new();
    for (mut client, server) in clients {
        while client.last.map(|last| last.offset()) != Some(last) && client.told.last().is_none_or(|gap| gap.1 != last)
        {
            client.session(&server, secs(1).mul_f64(0.2)).await;
        }
        all.push(client);
    }
    // The seats of broken connections are gone.
    timeout(secs(20), async {
        while topic.members() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("members whose connections are reset leave");
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_repeated_or_reordered_by_a_thousand_resets() {
    for client in run(100_000, 1000).await {
        assert!(client.received > 100, "{}", client.received);
        assert_eq!((client.jumped, client.told), (vec![], vec![]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_short_history_has_lost_is_a_gap() {
    let mut told = 0;
    for client in run(5, 200).await {
        for jump in &client.jumped {
            assert!(client.told.contains(jump), "{jump:?} is not told: {:?}", client.told);
        }
        told += client.told.len();
    }
    // At least in the end, when all were away for long.
    assert!(told > 0, "the history is long enough for all");
}
