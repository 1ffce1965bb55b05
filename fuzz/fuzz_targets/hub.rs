//! Histories of a topic: any publications, and members that join, resume, leave, are slow or are lost, at any times. What each
//! member receives is compared with a plain list of what was published: in order, each once, and what is left out is what its
//! policy drops, and what it is told of.

#![no_main]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Handle};
use tokio::time::{Instant, advance, sleep};
use tower_websocket::{
    CloseCode, ConnectionId, History, Hub, Keepalive, Limits, Manager, Message, Overflow, Position, Recovered, Seat,
    Topic, Upgrader, testing,
};

#[derive(Arbitrary, Debug)]
struct Input {
    capacity: u8,
    kept: u8,
    within: u8,
    compressed: bool,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    Join {
        client: u8,
        policy: u8,
    },
    Leave {
        client: u8,
    },
    Publish {
        size: u16,
        key: u8,
    },
    PublishExcept {
        client: u8,
        size: u16,
    },
    /// The connection is lost with what was not received, and the client has another.
    Reconnect {
        client: u8,
    },
    Receive {
        client: u8,
        count: u8,
    },
    Resume {
        client: u8,
        policy: u8,
    },
    Settle,
    Wait(u8),
}

fuzz_target!(|input: Input| {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut room = Room::new(&input);
        for step in input.steps.iter().take(100) {
            room.step(*step).await;
        }
        room.end().await;
    });
});

struct Room {
    topic: Topic,
    log: Vec<Published>,
    clients: Vec<Client>,
    settings: Settings,
}

#[derive(Clone, Copy)]
struct Settings {
    capacity: usize,
    kept: usize,
    within: Duration,
    compressed: bool,
}

struct Published {
    at: Instant,
    key: u8,
    /// The connection that does not get it.
    except: Option<ConnectionId>,
}

struct Client {
    near: Manager,
    far: Manager,
    member: Option<Member>,
    position: Option<Position>,
    /// Its connection was closed, as it was too slow.
    is_closed: bool,
}

/// One membership.
struct Member {
    seat: Seat,
    policy: Overflow,
    /// Offsets that are to arrive unless they are dropped. The first `replayed` are not.
    expected: Vec<usize>,
    replayed: usize,
    /// How many of them have arrived or were left out.
    passed: usize,
    left_out: usize,
    told: usize,
}

impl Room {
    fn new(input: &Input) -> Self {
        let settings = Settings {
            capacity: usize::from(input.capacity).max(1),
            kept: usize::from(input.kept).max(1),
            within: Duration::from_secs(u64::from(input.within).max(1)),
            compressed: input.compressed,
        };
        let topic = Hub::new()
            .topic("fuzz")
            .history(History::last(settings.kept).within(settings.within))
            .capacity(settings.capacity)
            .encode(|message, position| Message::text(format!("{position} {}", message.as_text().unwrap_or_default())))
            .tell_dropped(|count| Message::text(format!("dropped {count}")));
        let clients = (0..CLIENTS).map(|_| Client::new(settings.compressed)).collect();
        Self { topic, log: Vec::new(), clients, settings }
    }

    async fn step(&mut self, step: Step) {
        let client = |number: u8| usize::from(number) % CLIENTS;
        match step {
            Step::Join { client: number, policy } => {
                let index = client(number);
                self.leave(index).await;
                let client = &mut self.clients[index];
                if let Ok(seat) = self.topic.join(&client.far, overflow(policy)) {
                    client.joins(seat, overflow(policy), Vec::new());
                }
            }
            Step::Resume { client: number, policy } => self.resume(client(number), overflow(policy)).await,
            Step::Leave { client: number } => self.leave(client(number)).await,
            Step::Publish { size, key } => {
                let text = "x".repeat(usize::from(size) % 5000);
                let key = key % KEYS;
                if key == 0 {
                    self.topic.publish(text).unwrap();
                } else {
                    self.topic.publish_keyed(key.to_string(), text).unwrap();
                }
                self.published(key, None);
            }
            Step::PublishExcept { client: number, size } => {
                let except = self.clients[client(number)].far.id();
                self.topic.publish_except(except, "x".repeat(usize::from(size) % 5000)).unwrap();
                self.published(0, Some(except));
            }
            Step::Reconnect { client: number } => {
                let client = &mut self.clients[client(number)];
                *client = Client { position: client.position, ..Client::new(self.settings.compressed) };
            }
            Step::Receive { client: number, count } => {
                let client = &mut self.clients[client(number)];
                for _ in 0..=count % 8 {
                    client.receive(&self.log, self.settings.capacity);
                }
            }
            Step::Settle => settle().await,
            Step::Wait(seconds) => advance(Duration::from_secs(seconds.into())).await,
        }
    }

    fn published(&mut self, key: u8, except: Option<ConnectionId>) {
        self.log.push(Published { at: Instant::now(), key, except });
        assert_eq!(self.topic.position().offset(), self.log.len() as u64);
        for client in &mut self.clients {
            let id = client.far.id();
            if let Some(member) = client.member.as_mut().filter(|_| except != Some(id)) {
                member.expected.push(self.log.len());
            }
        }
    }

    async fn resume(&mut self, index: usize, policy: Overflow) {
        self.leave(index).await;
        let Self { topic, log, clients, settings } = self;
        let client = &mut clients[index];
        let Ok((seat, recovered)) = topic.resume(&client.far, client.position, policy) else { return };
        let is_kept =
            |offset: &usize| log.len() - offset < settings.kept && log[offset - 1].at.elapsed() < settings.within;
        let first = (1..=log.len()).find(is_kept).unwrap_or(log.len() + 1);
        let next = client.position.map_or(first, |position| position.offset() as usize + 1);
        let missed = (next >= first).then(|| {
            let is_meant = |offset: &usize| log[offset - 1].except != Some(client.far.id());
            (next..=log.len()).filter(is_meant).collect::<Vec<_>>()
        });
        assert_eq!(recovered, missed.as_ref().map_or(Recovered::Gap, |missed| Recovered::All(missed.len())));
        client.joins(seat, policy, missed.unwrap_or_default());
    }

    /// A client receives all that is still to come, and leaves.
    async fn leave(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let mut idle = 0;
        while idle < 3 && client.member.is_some() {
            settle().await;
            idle += 1;
            while client.receive(&self.log, self.settings.capacity) {
                idle = 0;
            }
        }
        let Some(member) = client.member.take() else { return };
        assert_eq!(member.left_out, member.told);
        if client.is_closed {
            assert_eq!(member.policy, Overflow::Close);
            assert_eq!(client.near.end().unwrap().unwrap().code(), CloseCode::TRY_AGAIN_LATER);
        } else {
            // The newest is never dropped.
            assert_eq!(member.passed, member.expected.len());
        }
        drop(member.seat);
    }

    async fn end(mut self) {
        for index in 0..CLIENTS {
            self.leave(index).await;
        }
        let stats = self.topic.stats();
        assert_eq!((stats.published, stats.members), (self.log.len() as u64, 0));
        drop(self);
        sleep(Duration::from_secs(60)).await;
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
    }
}

impl Client {
    fn new(compressed: bool) -> Self {
        // Those that are slow show soon, and nothing else ends them.
        let limits = Limits::default().incoming(1).max_write_buffer_size(1000).write_timeout(DAY);
        let upgrader = Upgrader::new().keepalive(Keepalive::disabled()).limits(limits);
        let (near, far) = testing::pair(if compressed { upgrader } else { upgrader.without_compression() });
        Self { near, far, member: None, position: None, is_closed: false }
    }

    fn joins(&mut self, seat: Seat, policy: Overflow, replayed: Vec<usize>) {
        let count = replayed.len();
        self.member =
            Some(Member { seat, policy, expected: replayed, replayed: count, passed: 0, left_out: 0, told: 0 });
    }

    /// Receives a message, if there is one now.
    fn receive(&mut self, log: &[Published], capacity: usize) -> bool {
        let received = pin!(self.near.recv()).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(received) = received else { return false };
        let Some(message) = received.expect("no connection is lost") else {
            self.is_closed = true;
            return false;
        };
        let member = self.member.as_mut().expect("members alone receive something");
        let text = message.as_text().unwrap();
        if let Some(count) = text.strip_prefix("dropped ") {
            member.told += count.parse::<usize>().unwrap();
            return true;
        }
        let position: Position = text.split(' ').next().unwrap().parse().unwrap();
        self.position = Some(position);
        let offset = position.offset() as usize;
        let rest = &member.expected[member.passed..];
        let index = rest.iter().position(|expected| *expected == offset).expect("each once, in order, and no other");
        for (number, left_out) in rest[..index].iter().enumerate() {
            assert!(member.passed + number >= member.replayed, "what is replayed is not dropped");
            match member.policy {
                Overflow::KeepLatest if capacity >= usize::from(KEYS) => {
                    let is_newer = |newer: &usize| newer > left_out && log[newer - 1].key == log[left_out - 1].key;
                    assert!(rest.iter().any(is_newer), "the latest of each key is kept");
                }
                Overflow::Close => panic!("nothing is dropped"),
                _ => {}
            }
        }
        member.passed += index + 1;
        member.left_out += index;
        // The latest of a key may be behind what is still to come.
        let is_told = member.told == member.left_out || member.policy == Overflow::KeepLatest;
        assert!(is_told && member.told >= member.left_out, "what is dropped is told before the next one");
        true
    }
}

fn overflow(policy: u8) -> Overflow {
    [Overflow::Close, Overflow::DropOldest, Overflow::KeepLatest][usize::from(policy) % 3]
}

/// Lets all other tasks do what they can do now.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

const CLIENTS: usize = 3;
const KEYS: u8 = 4;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
