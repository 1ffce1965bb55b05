//! What the peer is told of a handler's error: the frame that this handler chose, and never one that came from another
//! connection.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, TryStreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_websocket::{
    BoxError, CloseCode, CloseFrame, Error, Manager, Message, MessageKind, Role, WebSocketLayer, testing,
};

use super::support::{Peer, close, code, quiet, secs, serve, text};

/// A connection to somebody else that was closed like this.
async fn closed_upstream(number: u16, reason: &'static str) -> Manager {
    let (upstream, other) = testing::pair(quiet());
    other.close_with(code(number), reason).await.unwrap();
    upstream
}

/// Runs a handler that fails with what `fail` makes, and returns the peer that is to be told.
async fn failing<F>(fail: impl Fn() -> F + Clone + Send + Sync + 'static) -> Peer
where
    F: Future<Output = BoxError> + Send + 'static,
{
    let layer = WebSocketLayer::new(move |_: Manager| {
        let fail = fail.clone();
        async move { Err::<(), _>(fail().await) }
    });
    let mut peer = serve(layer.upgrader(quiet()).into_service());
    peer.handshake("").await;
    peer
}

/// An error that wraps another, as context does.
#[derive(Debug)]
struct Context(BoxError);

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("while proxying")
    }
}

impl StdError for Context {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

/// An error that shows another as itself, as `#[error(transparent)]` does.
#[derive(Debug)]
struct Transparent(Error);

impl fmt::Display for Transparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Transparent {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

/// All the ways in which an error reaches the end of a handler.
fn wrapped(error: Error) -> Vec<(&'static str, BoxError)> {
    let io = || io::Error::from(error.clone());
    vec![
        ("as it is", error.clone().into()),
        ("in a Box", BoxError::from(Box::new(error.clone()))),
        ("in an Arc", Arc::new(error.clone()).into()),
        ("in an io::Error", io().into()),
        ("in an io::Error in an io::Error", io::Error::other(io()).into()),
        ("with context", Context(error.clone().into()).into()),
        ("with context twice", Context(Context(error.clone().into()).into()).into()),
        ("in an io::Error with context", Context(io().into()).into()),
        ("with context in an io::Error", io::Error::other(Context(error.clone().into())).into()),
        ("transparent", Transparent(error.clone()).into()),
        ("transparent with context", Context(Transparent(error.clone()).into()).into()),
        ("in anyhow", anyhow::Error::from(error.clone()).into()),
        ("in anyhow with context", anyhow::Error::from(error.clone()).context("proxying").into()),
        ("as io::Error in anyhow", anyhow::Error::from(io()).context("a").context("b").into()),
    ]
}

#[tokio::test(start_paused = true)]
async fn another_connections_close_frame_is_never_sent() {
    for (number, reason) in [(4001, "private"), (1000, ""), (1008, "secret"), (1001, "restarting")] {
        let ways = wrapped(closed_upstream(number, reason).await.send("x").await.unwrap_err()).len();
        for way in 0..ways {
            let mut peer = failing(move || async move {
                let error = closed_upstream(number, reason).await.send("x").await.unwrap_err();
                wrapped(error).swap_remove(way).1
            })
            .await;
            assert_eq!(peer.expect_close(1011).await, "", "{number}, way {way}");
        }
    }
}

/// Each method of a connection that fails once it is closed.
#[tokio::test(start_paused = true)]
async fn no_method_of_another_connection_lends_its_close_frame() {
    const METHODS: usize = 13;
    for method in 0..METHODS {
        let mut peer = failing(move || async move {
            let upstream = closed_upstream(4001, "private").await;
            match method {
                0 => upstream.send("x").await.unwrap_err().into(),
                1 => upstream.send_uncompressed("x").await.unwrap_err().into(),
                2 => upstream.write_data("x", secs(1)).await.unwrap_err().into(),
                3 => upstream.write_json(&1, secs(1)).await.unwrap_err().into(),
                4 => upstream.read_json::<u8>(secs(1)).await.unwrap_err().into(),
                5 => upstream.read_binary(secs(1)).await.unwrap_err().into(),
                6 => upstream.recv_timeout(secs(1)).await.unwrap_err().into(),
                7 => upstream.ping().await.unwrap_err().into(),
                8 => upstream.copy_text_lines(&b"x"[..]).await.unwrap_err().into(),
                9 => upstream.copy_json_stream(&b"1"[..]).await.unwrap_err().into(),
                10 => upstream.writer(MessageKind::Text).write_all(b"x").await.unwrap_err().into(),
                11 => SinkExt::send(&mut upstream.clone(), Message::text("x")).await.unwrap_err().into(),
                _ => {
                    let (mut silent, _other) = tokio::io::duplex(8);
                    let error = upstream.copy_text_lines(&mut silent).await.unwrap_err();
                    io::Error::from(error).into()
                }
            }
        })
        .await;
        assert_eq!(peer.expect_close(1011).await, "", "method {method}");
    }
}

/// The proxy of the issue: what comes from here goes there.
#[tokio::test(start_paused = true)]
async fn a_proxys_peer_does_not_learn_how_the_upstream_ended() {
    let layer = WebSocketLayer::new(|ws: Manager| async move {
        let upstream = closed_upstream(4001, "customer 17 has not paid").await;
        while let Some(message) = ws.recv().await? {
            upstream.send(message).await?;
        }
        Ok::<_, Error>(())
    });
    let mut peer = serve(layer.upgrader(quiet()).into_service());
    peer.handshake("").await;
    peer.send(text("hello")).await;
    assert_eq!(peer.expect_close(1011).await, "");
}

/// A copy between two connections fails with an error within an error.
#[tokio::test(start_paused = true)]
async fn a_source_that_is_another_connection_does_not_lend_its_close_frame() {
    let layer = WebSocketLayer::new(|ws: Manager| async move {
        let (near, _far) = tokio::io::duplex(8);
        let other = Manager::from_upgraded(near, Role::Client, quiet().get_config());
        let failing = other.clone();
        failing.close_with(code(4001), "private").await?;
        let source = tokio_util::io::StreamReader::new(futures_util::stream::once(async move {
            Err::<bytes::Bytes, _>(io::Error::from(failing.send("x").await.unwrap_err()))
        }));
        ws.copy_text_lines(Box::pin(source)).await.map(drop)
    });
    let mut peer = serve(layer.upgrader(quiet()).into_service());
    peer.handshake("").await;
    assert_eq!(peer.expect_close(1011).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_the_handler_chose_is_sent_however_it_is_wrapped() {
    let frame = || CloseFrame::new(CloseCode::POLICY_VIOLATION, "no");
    let mut ways = wrapped(frame().into()).into_iter().map(|(way, _)| way).collect::<Vec<_>>();
    ways.extend(["bare", "bare with context", "bare in an io::Error", "bare in anyhow with context"]);
    for way in ways {
        let mut peer = failing(move || async move {
            match way {
                "bare" => frame().into(),
                "bare with context" => Context(frame().into()).into(),
                "bare in an io::Error" => io::Error::other(frame()).into(),
                "bare in anyhow with context" => anyhow::Error::from(frame()).context("here").into(),
                way => wrapped(frame().into()).into_iter().find(|(name, _)| *name == way).unwrap().1,
            }
        })
        .await;
        assert_eq!(peer.expect_close(1008).await, "no", "{way}");
    }
}

/// Passing it on is a choice too, where the handler says so.
#[tokio::test(start_paused = true)]
async fn an_upstreams_frame_is_passed_on_if_the_handler_returns_it() {
    let layer = WebSocketLayer::new(|_: Manager| async move {
        let error = closed_upstream(4001, "public").await.send("x").await.unwrap_err();
        Err::<(), BoxError>(error.close_frame().unwrap().clone().into())
    });
    let mut peer = serve(layer.upgrader(quiet()).into_service());
    peer.handshake("").await;
    assert_eq!(peer.expect_close(4001).await, "public");

    let layer = WebSocketLayer::new(|_: Manager| async move {
        let frame = closed_upstream(4002, "public").await.done().await?;
        Err::<(), Error>(frame.into())
    });
    let mut peer = serve(layer.upgrader(quiet()).into_service());
    peer.handshake("").await;
    assert_eq!(peer.expect_close(4002).await, "public");
}

/// What an upstream's end was may be part of what the handler failed with.
#[tokio::test(start_paused = true)]
async fn a_frame_that_came_from_elsewhere_is_no_choice_within_another_error() {
    for way in 0..4 {
        let mut peer = failing(move || async move {
            let upstream = closed_upstream(4001, "private").await;
            let frame = upstream.done().await.unwrap();
            let same = upstream.end().unwrap().unwrap();
            match way {
                0 => Context(frame.into()).into(),
                1 => io::Error::other(same).into(),
                2 => anyhow::Error::from(frame).context("upstream is gone").into(),
                _ => Context(Context(same.clone().into()).into()).into(),
            }
        })
        .await;
        assert_eq!(peer.expect_close(1011).await, "", "way {way}");
    }
    // It is one where the handler makes it its error.
    for way in 0..3 {
        let mut peer = failing(move || async move {
            let frame = closed_upstream(4001, "public").await.done().await.unwrap();
            match way {
                0 => frame.into(),
                1 => Context(Error::from(frame).into()).into(),
                _ => Context(CloseFrame::new(frame.code(), frame.reason().to_owned()).into()).into(),
            }
        })
        .await;
        assert_eq!(peer.expect_close(4001).await, "public", "way {way}");
    }
}

/// A bare frame in anyhow: see the table of `HandlerOutput`.
#[tokio::test(start_paused = true)]
async fn anyhow_hides_a_bare_frame() {
    let mut peer = failing(|| async { anyhow::Error::from(CloseFrame::new(code(4001), "hidden")).into() }).await;
    assert_eq!(peer.expect_close(1011).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_returns_its_own_connections_error_changes_nothing() {
    let layer = WebSocketLayer::new(|mut ws: Manager| async move {
        ws.try_next().await?;
        ws.read_json::<u8>(Duration::from_secs(1)).await?;
        Ok::<_, Error>(())
    });
    let mut peer = serve(layer.upgrader(quiet()).into_service());
    peer.handshake("").await;
    peer.send(close(4005, "mine")).await;
    assert_eq!(peer.expect_close(4005).await, "mine");
    peer.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn bytes_of_another_connection_end_without_its_frame() {
    let layer = WebSocketLayer::new(|_: Manager| async move {
        let upstream = closed_upstream(4001, "private").await;
        let mut byte = [0];
        upstream.reader().read_exact(&mut byte).await?;
        Ok::<_, io::Error>(())
    });
    let mut peer = serve(layer.upgrader(quiet()).into_service());
    peer.handshake("").await;
    assert_eq!(peer.expect_close(1011).await, "");
}
