//! A whole connection: any bytes from the peer, in any parts, at any time, with any calls of its handles. It ends within its
//! time limits, all handles tell of the same end, and everything is given back.

#![no_main]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::{Builder, Handle};
use tokio::time::{Instant, advance, sleep, timeout};
use tower_websocket::{Budget, CloseCode, CloseFrame, ErrorKind, Keepalive, Limits, Manager, Role, WebSocketConfig};

#[derive(Arbitrary, Debug)]
struct Input {
    client: bool,
    keepalive: bool,
    heartbeat: bool,
    incoming: u16,
    write_buffer: u16,
    message: u16,
    pipe: u16,
    actions: Vec<Action>,
}

#[derive(Arbitrary, Debug)]
enum Action {
    Advance(u16),
    Close(u16),
    Deadline(u16),
    Flush,
    Ignore,
    PeerEnds,
    PeerReads(u16),
    PeerSends(Vec<u8>),
    PeerSendsFrame { first: u8, payload: Vec<u8>, times: u8 },
    Ping,
    Receive,
    Send(u16),
    TrySend(u16),
    WriteData(u16),
    Yield,
}

fuzz_target!(|input: Input| {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(run(&input));
});

async fn run(input: &Input) {
    let budget = Budget::new(1 << 20);
    let limits = Limits::default()
        .budget(budget.clone())
        .incoming(usize::from(input.incoming).max(1))
        .max_write_buffer_size(usize::from(input.write_buffer).max(1))
        .max_message_size(usize::from(input.message).max(1));
    let keepalive = if input.keepalive { Keepalive::default() } else { Keepalive::disabled() };
    let keepalive = if input.heartbeat { keepalive.text_heartbeat() } else { keepalive };
    let config = WebSocketConfig::new().limits(limits).keepalive(keepalive);
    let role = if input.client { Role::Client } else { Role::Server };
    let (near, far) = duplex(usize::from(input.pipe).max(1));
    let ws = Manager::from_upgraded(far, role, &config);
    let mut peer = Some(near);
    for action in &input.actions {
        act(action, &ws, &mut peer, role).await;
    }
    let mut sum = 0;
    let end = Instant::now();
    drop(peer);
    // Without a keepalive, the end behind unread messages is seen once they are received.
    let receiving = async {
        loop {
            match ws.recv().await {
                Ok(Some(message)) => sum += message.len(),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.kind()),
            }
        }
    };
    let ended = timeout(Duration::from_secs(600), async { tokio::join!(ws.done(), receiving) });
    let (done, last) = ended.await.expect("the connection ends");
    assert!(end.elapsed() <= Duration::from_secs(120), "{:?}", end.elapsed());
    let kind = done.as_ref().map_or_else(tower_websocket::Error::kind, |_| ErrorKind::Closed);
    assert!(sum <= 10_000_000);
    assert_eq!(last.is_ok(), done.is_ok());
    assert_eq!(last.err().unwrap_or(kind), kind);
    assert_eq!(ws.send("late").await.unwrap_err().kind(), kind);
    assert_eq!(ws.ping().await.unwrap_err().kind(), kind);
    assert!(ws.context().is_cancelled() && ws.is_closed());
    sleep(Duration::from_secs(60)).await;
    assert_eq!(budget.used(), 0);
    drop(ws);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
}

async fn act(action: &Action, ws: &Manager, peer: &mut Option<DuplexStream>, role: Role) {
    let text = |len: u16| "x".repeat(len.into());
    match action {
        Action::Advance(millis) => advance(Duration::from_millis((*millis).into())).await,
        Action::Close(code) => {
            let frame = CloseFrame::new(CloseCode::new(*code).unwrap_or(CloseCode::NORMAL), "");
            now(ws.close_frame(frame)).await;
        }
        Action::Deadline(millis) => {
            let at = Instant::now() + Duration::from_millis((*millis).into());
            ws.set_deadline(at, CloseFrame::new(CloseCode::GOING_AWAY, "in time"));
        }
        Action::Flush => now(ws.flush()).await,
        Action::Ignore => now(ws.ignore_incoming()).await,
        Action::PeerEnds => *peer = None,
        Action::PeerReads(len) => {
            let mut buffer = vec![0; usize::from(*len).max(1)];
            if let Some(peer) = peer {
                now(peer.read(&mut buffer)).await;
            }
        }
        Action::PeerSends(bytes) => {
            if let Some(peer) = peer {
                now(peer.write_all(bytes)).await;
            }
        }
        Action::PeerSendsFrame { first, payload, times } => {
            let mut frame = vec![*first];
            let payload: Vec<u8> = payload.repeat(usize::from(*times).max(1)).into_iter().take(60_000).collect();
            let mask = if role == Role::Server { 0x80 } else { 0 };
            if payload.len() < 126 {
                frame.push(mask | payload.len() as u8);
            } else {
                frame.push(mask | 126);
                frame.extend((payload.len() as u16).to_be_bytes());
            }
            if role == Role::Server {
                frame.extend([0; 4]);
            }
            frame.extend(payload);
            if let Some(peer) = peer {
                now(peer.write_all(&frame)).await;
            }
        }
        Action::Ping => now(ws.ping()).await,
        Action::Receive => now(ws.recv()).await,
        Action::Send(len) => now(ws.send(text(*len))).await,
        Action::TrySend(len) => drop(ws.try_send(text(*len))),
        Action::WriteData(len) => now(ws.write_data(text(*len), Duration::from_millis(50))).await,
        Action::Yield => tokio::task::yield_now().await,
    }
}

/// Polls it a few times, with a turn for the connection in between, and drops it.
async fn now(future: impl Future) {
    let mut future = pin!(future);
    for _ in 0..3 {
        if poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await {
            return;
        }
        tokio::task::yield_now().await;
    }
}
