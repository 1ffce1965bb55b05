//! Faults in one direction: what the other direction has received is delivered first.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;
use tower_websocket::{Connector, Error, ErrorKind, Keepalive, Limits, Manager, Role, Upgrader, WebSocketLayer};

use crate::support::{
    Broken, Cases, Fault, KIB, MIB, Over, Peer, Socket, Way, broken, close, expect, handed_over, how, millis, open,
    quiet, secs, serve, sides, text,
};

/// How a peer leaves after its last byte.
#[derive(Clone, Copy, Debug)]
enum Leaving {
    /// It ends its direction and still takes what we send.
    Shutdown,
    /// It closes both directions: what we send is answered with a reset.
    Close,
    /// It resets the connection.
    Reset,
}

const LEAVING: [Leaving; 3] = [Leaving::Shutdown, Leaving::Close, Leaving::Reset];

impl Leaving {
    fn socket(self) -> Socket {
        if let Self::Reset = self { Socket::RESETTING } else { Socket::default() }
    }

    /// What stays of the peer.
    async fn leave(self, mut peer: Peer) -> Option<Peer> {
        // A reset overtakes what is still to be read at the other end of the wire, but nothing that is there.
        peer.settle().await;
        if let Self::Shutdown = self {
            peer.shutdown().await;
            return Some(peer);
        }
        None
    }
}

/// Pings soon, and waits long.
fn pinging() -> Upgrader {
    Upgrader::new().keepalive(Keepalive::default().interval(millis(100)).timeout(secs(20)))
}

/// Receives with such a pause before each message: how many came, and how it ended. `Ok` is `Ok(None)`.
async fn receive_slowly(ws: Manager, pause: Duration) -> (usize, Result<(), ErrorKind>) {
    let mut messages = 0;
    loop {
        sleep(pause).await;
        match ws.recv().await {
            Ok(Some(_)) => messages += 1,
            Ok(None) => return (messages, Ok(())),
            Err(error) => return (messages, Err(error.kind())),
        }
    }
}

/// Sends so many messages of this size and, if asked, a close frame.
async fn send_all(peer: &mut Peer, messages: usize, size: usize, code: Option<u16>) {
    let frames = (0..messages).flat_map(|_| peer.encode(&text(vec![b'x'; size])));
    let mut bytes: Vec<_> = frames.collect();
    if let Some(code) = code {
        bytes.extend(peer.encode(&close(code, "")));
    }
    peer.send_raw(bytes).await;
}

/// A server whose handler receives as slowly, and tells the test what it got.
async fn slow_handler(
    over: Over,
    settings: Upgrader,
    pause: Duration,
    socket: Socket,
) -> (Peer, oneshot::Receiver<(usize, Result<(), ErrorKind>)>) {
    let (sender, receiver) = oneshot::channel();
    let sender = std::sync::Arc::new(std::sync::Mutex::new(Some(sender)));
    let layer = WebSocketLayer::new(move |ws: Manager| {
        let sender = sender.lock().unwrap().take().unwrap();
        async move {
            let _ = sender.send(receive_slowly(ws, pause).await);
        }
    });
    let peer = serve(over, layer.upgrader(settings)).await.open(socket).await;
    (peer, receiver)
}

#[tokio::test]
async fn all_messages_of_a_peer_that_has_closed_and_gone_are_received() {
    let mut cases = Cases::default();
    cases.add("20 messages, 700 ms each, over TCP", async {
        let (mut peer, received) = slow_handler(Over::Tcp, Upgrader::new(), millis(700), Socket::default()).await;
        send_all(&mut peer, 20, 10, Some(1000)).await;
        drop(peer);
        expect("received", received.await.unwrap(), (20, Ok(())));
    });
    for leaving in LEAVING {
        for over in Over::ALL {
            cases.add(format!("a handler, {over}, {leaving:?}"), async move {
                let (mut peer, received) = slow_handler(over, pinging(), millis(70), leaving.socket()).await;
                send_all(&mut peer, 20, 10, Some(1000)).await;
                let _peer = leaving.leave(peer).await;
                expect("received", received.await.unwrap(), (20, Ok(())));
            });
        }
        for (role, over) in sides(&Over::ALL) {
            for size in [10, 2 * KIB] {
                cases.add(format!("{role:?}, {over}, {leaving:?}, {size} B each"), async move {
                    let (ws, mut peer) = open(role, over, Way::Direct(leaving.socket()), pinging()).await;
                    send_all(&mut peer, 20, size, Some(4000)).await;
                    let _peer = leaving.leave(peer).await;
                    expect("received", receive_slowly(ws.clone(), millis(70)).await, (20, Ok(())));
                    expect("the end", how(ws.done().await), Ok(4000));
                });
            }
        }
    }
    cases.finish().await;
}

#[tokio::test]
async fn all_messages_of_a_peer_that_vanished_are_received_before_the_error() {
    let mut cases = Cases::default();
    for leaving in LEAVING {
        for (role, over) in sides(&Over::ALL) {
            cases.add(format!("{role:?}, {over}, {leaving:?}"), async move {
                let (ws, mut peer) = open(role, over, Way::Direct(leaving.socket()), pinging()).await;
                send_all(&mut peer, 20, 10, None).await;
                let _peer = leaving.leave(peer).await;
                let received = receive_slowly(ws.clone(), millis(70)).await;
                expect("received", received, (20, Err(ErrorKind::Disconnected)));
                expect("the end", how(ws.done().await), Err(ErrorKind::Disconnected));
            });
        }
    }
    cases.finish().await;
}

#[tokio::test]
async fn a_write_that_fails_does_not_drop_what_was_received() {
    let mut cases = Cases::default();
    for leaving in [Leaving::Close, Leaving::Reset] {
        for (role, over) in sides(&Over::ALL) {
            cases.add(format!("{role:?}, {over}, {leaving:?}"), async move {
                let (ws, mut peer) = open(role, over, Way::Direct(leaving.socket()), quiet()).await;
                // More than is taken: it is being written when the peer goes.
                ws.send(vec![0; 16 * MIB]).await.unwrap();
                send_all(&mut peer, 20, 10, Some(1000)).await;
                leaving.leave(peer).await;
                expect("received", receive_slowly(ws.clone(), millis(30)).await, (20, Ok(())));
                expect("the end", how(ws.done().await), Ok(1000));
            });
        }
    }
    cases.finish().await;
}

#[tokio::test]
async fn a_slow_client_of_ours_gets_all_that_a_server_of_ours_sent_before_it_closed() {
    let mut cases = Cases::default();
    // The defaults on both sides.
    cases.add("150 ms each, over TCP", async {
        between_two(Over::Tcp, Role::Server, Upgrader::new(), millis(150)).await;
    });
    for over in Over::ALL {
        for sender in [Role::Server, Role::Client] {
            cases.add(format!("{over}, the {sender:?} sends"), async move {
                let settings = pinging().limits(Limits::default().close_timeout(millis(500)));
                between_two(over, sender, settings, millis(30)).await;
            });
        }
    }
    cases.finish().await;
}

/// One side sends 64 messages that compress well and closes, the other receives slowly.
async fn between_two(over: Over, sender: Role, settings: Upgrader, pause: Duration) {
    let send_all = |ws: Manager| async move {
        for _ in 0..64 {
            ws.send(vec![0; 64 * KIB]).await?;
        }
        Ok::<_, Error>(())
    };
    let connector = Connector::new().config(settings.get_config().clone());
    let (receiver, other) = match sender {
        Role::Server => {
            let layer = WebSocketLayer::new(send_all).upgrader(settings);
            (serve(over, layer).await.connect(connector).await, None)
        }
        Role::Client => {
            let (layer, mut managers) = handed_over();
            let layer = layer.upgrader(settings);
            let client = serve(over, layer).await.connect(connector).await;
            let closing = tokio::spawn(async move {
                send_all(client.clone()).await.unwrap();
                let _ = client.close().await;
            });
            (managers.recv().await.unwrap(), Some(closing))
        }
    };
    expect("received", receive_slowly(receiver.clone(), pause).await, (64, Ok(())));
    expect("the end", how(receiver.done().await), Ok(1000));
    if let Some(closing) = other {
        closing.await.unwrap();
    }
}

#[tokio::test]
async fn a_reset_after_the_closing_handshake_is_no_fault() {
    let mut cases = Cases::default();
    for (role, over) in sides(&Over::ALL) {
        for closes in [role, other(role)] {
            cases.add(format!("{role:?}, {over}, the {closes:?} closes"), async move {
                let (ws, mut peer) = open(role, over, Way::Direct(Socket::RESETTING), quiet()).await;
                send_all(&mut peer, 3, 10, None).await;
                peer.settle().await;
                if closes == role {
                    let closing = ws.clone();
                    tokio::spawn(async move { closing.close().await });
                    expect("the close code", peer.recv_close().await, Some(1000));
                    peer.send(close(1000, "")).await;
                } else {
                    peer.send(close(1000, "")).await;
                    let received = receive_slowly(ws.clone(), millis(1)).await;
                    expect("received", received, (3, Ok(())));
                    expect("the close code", peer.recv_close().await, Some(1000));
                }
                peer.settle().await;
                drop(peer);
                expect("the end", how(ws.done().await), Ok(1000));
            });
        }
    }
    cases.finish().await;
}

fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// A transport over which the peer has sent so many messages and perhaps a close frame, and where our writing breaks.
async fn breaks(role: Role, fault: Fault, code: Option<u16>) -> (usize, Result<(), ErrorKind>, Result<u16, ErrorKind>) {
    let (ours, mut peer): (Broken, Peer) = broken(fault, other(role));
    send_all(&mut peer, 20, 10, code).await;
    let ws = Manager::from_upgraded(ours, role, pinging().get_config());
    if code.is_none() {
        peer.shutdown().await;
    }
    let (messages, end) = receive_slowly(ws.clone(), millis(70)).await;
    if let Fault::Shutdown = fault {
        // The peer waits for the end of our direction.
        peer.read_to_end().await;
    }
    (messages, end, how(ws.done().await))
}

#[tokio::test(start_paused = true)]
async fn what_was_received_survives_a_failed_write_flush_or_shutdown() {
    let mut cases = Cases::default();
    for role in [Role::Server, Role::Client] {
        for fault in [Fault::Flush, Fault::Shutdown, Fault::Write] {
            cases.add(format!("{role:?}, {fault:?}, a close frame"), async move {
                expect("received", breaks(role, fault, Some(1000)).await, (20, Ok(()), Ok(1000)));
            });
            cases.add(format!("{role:?}, {fault:?}, no close frame"), async move {
                let disconnected = ErrorKind::Disconnected;
                expect("received", breaks(role, fault, None).await, (20, Err(disconnected), Err(disconnected)));
            });
        }
    }
    cases.finish().await;
}
