//! `Connector::sessions` against a server that is killed, restarts, refuses and closes.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_websocket::{Backoff, CloseCode, CloseFrame, Connector, ErrorKind, Message, Target};

use crate::PATIENCE;
use crate::port::refusing;
use crate::server::{Act, Server};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn quick() -> Backoff {
    Backoff::default().initial(millis(10)).max(millis(20)).after_restart(millis(200), millis(300))
}

#[tokio::test]
async fn a_client_comes_back_after_each_of_100_kills() {
    let server = Server::start(|_| Act::Kill).await;
    let mut sessions = Connector::new().sessions(server.url(), quick());
    let all = async {
        for number in 0..100 {
            let ws = sessions.next().await.unwrap().unwrap();
            ws.send(number.to_string()).await.unwrap();
            assert_eq!(ws.recv().await.unwrap(), Some(Message::text(number.to_string())));
            server.kill();
            assert_eq!(ws.done().await.unwrap_err().kind(), ErrorKind::Disconnected);
        }
        sessions.next().await.unwrap().unwrap();
    };
    timeout(PATIENCE, all).await.unwrap();
    assert_eq!(server.arrivals().len(), 101);
}

#[tokio::test]
async fn a_hundred_clients_of_a_server_that_is_killed_come_back_spread_out() {
    const WINDOW: Duration = Duration::from_secs(4);

    let server = Server::start(|_| Act::Kill).await;
    let mut clients = JoinSet::new();
    for _ in 0..100 {
        let mut sessions = Connector::new().sessions(server.url(), Backoff::default().initial(WINDOW));
        clients.spawn(async move {
            let first = sessions.next().await.unwrap().unwrap();
            first.send("ready").await.unwrap();
            first.recv().await.unwrap();
            // Until all of them are there and the server is killed.
            first.done().await.unwrap_err();
            let killed = Instant::now();
            sessions.next().await.unwrap().unwrap();
            killed.elapsed()
        });
    }
    timeout(PATIENCE, async {
        while server.arrivals().len() < 100 {
            tokio::time::sleep(millis(10)).await;
        }
        // What was asked for last is open a moment later.
        tokio::time::sleep(millis(500)).await;
        server.kill();
        let delays = clients.join_all().await;
        for quarter in 0..4 {
            let range = WINDOW * quarter / 4..WINDOW * (quarter + 1) / 4;
            let returns = delays.iter().filter(|delay| range.contains(*delay)).count();
            // 25 in the mean.
            assert!((5..=60).contains(&returns), "{returns} in {range:?}");
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_a_retry_cannot_cure_ends_the_sessions() {
    for (act, kind) in [
        (Act::Refuse(401, None), ErrorKind::Handshake),
        (Act::Refuse(403, None), ErrorKind::Handshake),
        (Act::Refuse(404, None), ErrorKind::Handshake),
        (Act::Refuse(301, None), ErrorKind::Handshake),
        (Act::Close(CloseFrame::new(CloseCode::POLICY_VIOLATION, "no")), ErrorKind::Closed),
    ] {
        let server = Server::start(move |_| act.clone()).await;
        let mut sessions = Connector::new().sessions(server.url(), quick());
        let end = async {
            loop {
                match sessions.next().await {
                    Ok(Some(ws)) => drop(ws.done().await),
                    end => break end,
                }
            }
        };
        let error = timeout(PATIENCE, end).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(sessions.next().await.unwrap().is_none());
        assert_eq!(server.arrivals().len(), 1);
    }
}

#[tokio::test]
async fn the_normal_end_is_the_end() {
    let server = Server::start(|_| Act::Close(CloseCode::NORMAL.into())).await;
    let mut sessions = Connector::new().sessions(server.url(), quick());
    let ws = sessions.next().await.unwrap().unwrap();
    ws.done().await.unwrap();
    assert!(timeout(PATIENCE, sessions.next()).await.unwrap().unwrap().is_none());
    assert!(sessions.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_that_is_left_open_is_closed_before_the_next() {
    let server = Server::start(|_| Act::Echo).await;
    let mut sessions = Connector::new().sessions(server.url(), quick());
    let first = sessions.next().await.unwrap().unwrap();
    let second = timeout(PATIENCE, sessions.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(first.end().unwrap().unwrap().code(), CloseCode::NORMAL);
    second.send("still here").await.unwrap();
    assert_eq!(second.recv().await.unwrap(), Some(Message::text("still here")));
}

#[tokio::test]
async fn a_server_tells_a_client_when_to_reconnect() {
    let restarting = || Act::Close(CloseFrame::new(CloseCode::SERVICE_RESTART, "restarting"));
    let overloaded = || Act::Close(CloseFrame::new(CloseCode::TRY_AGAIN_LATER, ""));
    for (first, least) in [
        (restarting(), millis(200)),
        (overloaded(), millis(200)),
        (Act::Refuse(503, Some("1")), millis(1000)),
        (Act::Refuse(429, Some("1")), millis(1000)),
    ] {
        let server = Server::start(move |number| if number == 0 { first.clone() } else { Act::Echo }).await;
        let mut sessions = Connector::new().sessions(server.url(), quick());
        timeout(PATIENCE, async {
            while server.arrivals().len() < 2 {
                let ws = sessions.next().await.unwrap().unwrap();
                if server.arrivals().len() < 2 {
                    let _ = ws.done().await;
                }
            }
        })
        .await
        .unwrap();
        let arrivals = server.arrivals();
        assert!(arrivals[1] - arrivals[0] >= least, "{:?}", arrivals[1] - arrivals[0]);
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_tried_until_there_were_too_many_failures() {
    let (_socket, address) = refusing();
    let mut sessions = Connector::new().sessions(format!("ws://{address}"), quick().max_failures(5));
    let error = timeout(PATIENCE, sessions.next()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);

    let server = Server::start(|number| if number < 3 { Act::Refuse(502, None) } else { Act::Echo }).await;
    let mut sessions = Connector::new().sessions(server.url(), quick());
    timeout(PATIENCE, sessions.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(server.arrivals().len(), 4);
}

#[tokio::test]
async fn a_url_that_is_none_is_reported_at_once() {
    let mut sessions = Connector::new().sessions("https://example.com/", Backoff::default());
    assert_eq!(sessions.next().await.unwrap_err().kind(), ErrorKind::InvalidSetting);
    assert!(sessions.next().await.unwrap().is_none());
}

#[tokio::test]
async fn an_impatient_caller_loses_nothing() {
    let server = Server::start(|number| if number < 3 { Act::Refuse(503, None) } else { Act::Echo }).await;
    let mut sessions = Connector::new().sessions(server.url(), quick());
    let ws = timeout(PATIENCE, async {
        loop {
            if let Ok(session) = timeout(millis(3), sessions.next()).await {
                break session.unwrap().unwrap();
            }
        }
    })
    .await
    .unwrap();
    ws.send("hello").await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text("hello")));
}

#[tokio::test]
async fn the_next_session_goes_to_the_target_that_was_set_last() {
    let (first, second) = (Server::start(|_| Act::Echo).await, Server::start(|_| Act::Echo).await);
    let mut sessions = Connector::new().sessions(first.url(), quick());
    sessions.next().await.unwrap().unwrap();
    sessions.set_target(Target::try_from(second.url().as_str()).unwrap());
    timeout(PATIENCE, sessions.next()).await.unwrap().unwrap().unwrap();
    assert_eq!((first.arrivals().len(), second.arrivals().len()), (1, 1));
}

/// What was left open says by how long it lasted that the server is well.
#[tokio::test]
async fn a_session_that_lasted_lets_failures_be_forgotten_though_it_was_left_open() {
    for (healthy_after, goes_on) in [(Duration::ZERO, true), (Duration::from_secs(3600), false)] {
        // A refusal, a session, and from then on refusals: the second of them in a row is one too many.
        let server = Server::start(|number| if number == 1 { Act::Echo } else { Act::Refuse(503, None) }).await;
        let backoff = quick().healthy_after(healthy_after).max_failures(2);
        let mut sessions = Connector::new().sessions(server.url(), backoff);
        timeout(PATIENCE, sessions.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(server.arrivals().len(), 2);
        timeout(PATIENCE, sessions.next()).await.unwrap().unwrap_err();
        assert_eq!(server.arrivals().len(), if goes_on { 4 } else { 3 }, "healthy after {healthy_after:?}");
    }
}
