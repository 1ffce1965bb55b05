//! Random publications, joins, leaves, lost connections and times: no member loses, repeats or reorders anything, and each gap is told.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::{Instant, advance};
use tower_websocket::{History, Hub, Manager, Message, Overflow, Position, Recovered, Seat, Topic};

use crate::support::{pair, received, settle};

#[derive(Clone, Debug)]
enum Step {
    Publish {
        except: Option<usize>,
        size: usize,
    },
    Join(usize),
    Resume(usize),
    Leave(usize),
    /// The connection is lost with what was not received yet, and the client connects anew.
    Reconnect(usize),
    Receive(usize),
    /// All tasks do what they can do.
    Settle,
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = 0..CLIENTS;
    let step = prop_oneof![
        6 => (proptest::option::weighted(0.2, client.clone()), 0..3_usize)
            .prop_map(|(except, size)| Step::Publish { except, size: [10, 600, 20_000][size] }),
        2 => client.clone().prop_map(Step::Join),
        3 => client.clone().prop_map(Step::Resume),
        1 => client.clone().prop_map(Step::Leave),
        2 => client.clone().prop_map(Step::Reconnect),
        3 => client.prop_map(Step::Receive),
        2 => Just(Step::Settle),
        1 => (1..90_u64).prop_map(Step::Wait),
    ];
    vec(step, 1..80)
}

const CLIENTS: usize = 4;
const LAST: usize = 12;
const WITHIN: u64 = 60;

struct Published {
    at: Instant,
    except: Option<usize>,
}

/// A client with what it should have received.
struct Client {
    near: Manager,
    far: Manager,
    seat: Option<Seat>,
    /// Offsets in the order in which they are to arrive.
    expected: Vec<u64>,
    received: Vec<u64>,
    /// The last position that it was told.
    position: Option<Position>,
}

impl Client {
    fn new() -> Self {
        let (near, far) = pair();
        Self { near, far, seat: None, expected: Vec::new(), received: Vec::new(), position: None }
    }

    fn receive(&mut self) {
        for message in received(&self.near) {
            let position: Position = message.split(' ').next().unwrap().parse().unwrap();
            self.received.push(position.offset());
            self.position = Some(position);
        }
        // Nothing that was not to come, and all in order.
        assert_eq!(self.received[..], self.expected[..self.received.len()]);
    }

    /// It leaves: what it has not received yet may or may not come.
    async fn leave(&mut self) {
        if self.seat.take().is_some() {
            let mut before = usize::MAX;
            // What is in the buffers of both ends comes still.
            while std::mem::replace(&mut before, self.received.len()) != self.received.len() {
                settle().await;
                self.receive();
            }
            self.expected.truncate(self.received.len());
        }
    }
}

async fn run(steps: Vec<Step>) {
    let topic: Topic = Hub::new()
        .topic("model")
        .history(History::last(LAST).within(Duration::from_secs(WITHIN)))
        .capacity(1000)
        .encode(|message, position| Message::text(format!("{position} {}", message.as_text().unwrap_or_default())));
    let mut log: Vec<Published> = Vec::new();
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::new()).collect();
    for step in steps {
        match step {
            Step::Publish { except, size } => {
                log.push(Published { at: Instant::now(), except });
                let message = "x".repeat(size);
                match except {
                    Some(client) => topic.publish_except(&clients[client].far, message).unwrap(),
                    None => topic.publish(message).unwrap(),
                }
                for (index, client) in clients.iter_mut().enumerate() {
                    if client.seat.is_some() && except != Some(index) {
                        client.expected.push(log.len() as u64);
                    }
                }
            }
            Step::Join(index) => {
                clients[index].leave().await;
                let client = &mut clients[index];
                client.seat = Some(topic.join(&client.far, Overflow::Close).unwrap());
            }
            Step::Resume(index) => {
                clients[index].leave().await;
                let client = &mut clients[index];
                let (seat, recovered) = topic.resume(&client.far, client.position, Overflow::Close).unwrap();
                client.seat = Some(seat);
                let now = Instant::now();
                let is_kept = |offset: usize| {
                    let age = now - log[offset - 1].at;
                    log.len() - offset < LAST && age < Duration::from_secs(WITHIN)
                };
                let first_kept = (1..=log.len()).find(|offset| is_kept(*offset)).unwrap_or(log.len() + 1);
                let missed = match client.position {
                    None => Some(first_kept..=log.len()),
                    Some(position) => {
                        let next = position.offset() as usize + 1;
                        (next >= first_kept).then_some(next..=log.len())
                    }
                };
                match missed {
                    None => assert_eq!(recovered, Recovered::Gap),
                    Some(missed) => {
                        // Of the connections of this client only the present one is left out.
                        let missed = missed.filter(|offset| log[*offset - 1].except != Some(index));
                        let missed: Vec<_> = missed.map(|offset| offset as u64).collect();
                        assert_eq!(recovered, Recovered::All(missed.len()));
                        client.expected.extend(missed);
                    }
                }
            }
            Step::Leave(index) => clients[index].leave().await,
            Step::Reconnect(index) => {
                let client = &mut clients[index];
                client.receive();
                let fresh = Client::new();
                let position = client.position;
                *client = Client { position, ..fresh };
                // What was meant for its last connection alone is none of this one's business any more.
                for published in &mut log {
                    published.except = published.except.filter(|except| *except != index);
                }
            }
            Step::Receive(index) => clients[index].receive(),
            Step::Settle => settle().await,
            Step::Wait(seconds) => advance(Duration::from_secs(seconds)).await,
        }
    }
    let members = clients.iter().filter(|client| client.seat.is_some()).count();
    // More may be on its way than fits between the two ends.
    for _ in 0..100 {
        settle().await;
        clients.iter_mut().for_each(Client::receive);
    }
    assert_eq!(topic.members(), members);
    for client in clients.iter().filter(|client| client.seat.is_some()) {
        assert_eq!(client.received, client.expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_member_loses_repeats_or_reorders_anything(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(steps));
    }
}
