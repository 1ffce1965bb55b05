//! Sockets that are opened and abandoned in each phase: memory, tasks and descriptors come back.

use std::net::SocketAddr;
use std::time::Instant;

use allocation_counter::measure;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tower_websocket::{Compression, Manager, Shutdown, Upgrader, WebSocketLayer};

use crate::shared::{binary, close, echo, request, text};
use crate::support::{connect, descriptors, no_other, open, resident, serve, tasks, until};

/// How far a client comes before it goes.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Closing,
    Connected,
    Idle,
    MidHeader,
    MidMessage,
    MidRequest,
    Requested,
    /// Its own messages come back, and it reads none.
    Unread,
}

const PHASES: [Phase; 8] = [
    Phase::Connected,
    Phase::MidRequest,
    Phase::Requested,
    Phase::Idle,
    Phase::MidHeader,
    Phase::MidMessage,
    Phase::Unread,
    Phase::Closing,
];

/// How it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Ends,
    Resets,
    /// It stays, and neither reads nor writes any more.
    Silent,
}

/// A client that has come so far.
async fn client(address: SocketAddr, phase: Phase) -> TcpStream {
    const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let mut stream = match phase {
        Phase::Connected | Phase::MidRequest | Phase::Requested => connect(address).await,
        _ => open(address, OFFER).await,
    };
    let bytes = match phase {
        Phase::Connected | Phase::Idle => Vec::new(),
        Phase::MidRequest => request("localhost", "/", "")[..60].into(),
        Phase::Requested => request("localhost", "/", OFFER).into(),
        Phase::MidHeader => binary([0; 300]).masked()[..3].to_vec(),
        Phase::MidMessage => [text("whole").masked(), binary([0; 90_000]).announce(100_000), vec![0; 70_000]].concat(),
        Phase::Unread => text("hello ".repeat(2000)).masked().repeat(20),
        Phase::Closing => close(1000, "").masked(),
    };
    stream.write_all(&bytes).await.unwrap();
    stream
}

/// What the process has at most while clients are there.
#[derive(Default)]
struct Peak {
    resident: usize,
    tasks: usize,
    descriptors: usize,
}

impl Peak {
    fn sample(&mut self) {
        self.resident = self.resident.max(resident());
        self.tasks = self.tasks.max(tasks());
        self.descriptors = self.descriptors.max(descriptors());
    }
}

/// A server, and what the process has without clients.
struct Server {
    address: SocketAddr,
    shutdown: Shutdown,
    tasks: usize,
    descriptors: usize,
}

impl Server {
    async fn new() -> Self {
        let shutdown = Shutdown::new();
        let compression = Compression::default().server_context_takeover(true);
        let layer = WebSocketLayer::new(|ws: Manager| async move {
            // What a clone in another task waits for ends too.
            let clone = ws.clone();
            tokio::spawn(async move { clone.done().await });
            echo(ws).await
        });
        let layer = layer.upgrader(Upgrader::new().compression(compression)).shutdown(&shutdown);
        let address = serve(layer).await;
        Self { address, shutdown, tasks: tasks(), descriptors: descriptors() }
    }

    /// So many clients, which come to these phases and go in this manner, up to `batch` at a time. Their tasks and descriptors
    /// come back.
    async fn abandon(&self, phases: &[Phase], manner: Manner, sockets: usize, batch: usize) -> Peak {
        let mut peak = Peak::default();
        let mut left = sockets;
        while left > 0 {
            let batch = left.min(batch);
            left -= batch;
            let mut streams = Vec::new();
            // The listener's backlog has room for so many.
            for numbers in (0..batch).collect::<Vec<_>>().chunks(100) {
                let clients = numbers.iter().map(|number| client(self.address, phases[number % phases.len()]));
                streams.extend(clients.collect::<JoinSet<_>>().join_all().await);
            }
            peak.sample();
            match manner {
                Manner::Ends => drop(streams),
                Manner::Resets => streams.iter().for_each(|stream| stream.set_zero_linger().unwrap()),
                Manner::Silent => {
                    let ours = self.descriptors + batch;
                    until("silent ones are given up", || tasks() <= self.tasks && descriptors() <= ours).await;
                }
            }
        }
        until("nothing is left", || {
            self.shutdown.connections() == 0 && tasks() <= self.tasks && descriptors() <= self.descriptors
        })
        .await;
        peak
    }
}

/// 4,000 sockets; more with `TOWER_WEBSOCKET_SOCKETS=100000`, which takes minutes and 10,000 descriptors.
#[test]
fn sockets_that_are_abandoned_free_everything() {
    let sockets: usize = std::env::var("TOWER_WEBSOCKET_SOCKETS").map_or(4_000, |sockets| sockets.parse().unwrap());
    // The time of silent ones is that of their limits: a few wait all together.
    let (batch, together) = if sockets > 10_000 { (4_000, 1) } else { (100, PHASES.len()) };
    let each = sockets / (ROUNDS * PHASES.len() * 3);
    let _guard = no_other();
    // One thread, whose heap can be told from that of others.
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(Server::new());
    println!("phase, manner: sockets | heap at most, heap left, resident at most, tasks, descriptors | time");
    for round in 0..ROUNDS {
        let mut left = 0;
        let mut run = |phases: &[Phase], manner, sockets, batch| {
            let (start, mut peak) = (Instant::now(), Peak::default());
            let heap = measure(|| peak = runtime.block_on(server.abandon(phases, manner, sockets, batch)));
            left += heap.bytes_current;
            println!(
                "{phases:?}, {manner:?}: {sockets} | {} KiB, {} B, {} KiB, {}, {} | {:.1?}",
                heap.bytes_max >> 10,
                heap.bytes_current,
                peak.resident >> 10,
                peak.tasks,
                peak.descriptors,
                start.elapsed(),
            );
        };
        for phase in PHASES {
            run(&[phase], Manner::Ends, each, batch);
            run(&[phase], Manner::Resets, each, batch);
        }
        for phases in PHASES.chunks(together) {
            run(phases, Manner::Silent, each * phases.len(), batch.max(each * phases.len()));
        }
        // With the next socket the runtime frees what it keeps of the last ones.
        run(&[Phase::Connected], Manner::Ends, 1, 1);
        println!("round {round}: {left} B left, {} KiB resident", resident() >> 10);
        // In the first, pools are filled and tables grow.
        assert!(round == 0 || left < 256 * 1024, "{left} B are left");
    }
}

const ROUNDS: usize = 2;
