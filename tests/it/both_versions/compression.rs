//! permessage-deflate on the wire.

use tower_websocket::{Compression, Manager, Message, WebSocketLayer, testing};

use super::support::{
    DEFLATE, Deflate, Inflate, binary, close, continuation, deflate, inflate, open_over, open_with, ping, pong, quiet,
    serve, tap, text,
};

fn json(len: usize) -> String {
    (0..).map(|number| format!("{{\"number\":{number}}},")).take(len / 14 + 1).collect()
}

/// What does not shrink (xorshift).
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// By the handler, which takes messages in another way than other tasks do, and by those.
#[tokio::test(start_paused = true)]
async fn stats_count_what_compressed_messages_say() {
    let layer = WebSocketLayer::new(|ws: Manager| async move {
        ws.recv().await?;
        ws.send(ws.stats().payload_received.to_string()).await?;
        let outside = ws.clone();
        tokio::spawn(async move { outside.recv().await }).await.unwrap()?;
        ws.send(ws.stats().payload_received.to_string()).await
    });
    let mut peer = serve(layer.upgrader(quiet()).into_service());
    peer.handshake(DEFLATE).await;
    for total in ["1000", "2000"] {
        peer.send(text(deflate([b'x'; 1000])).compressed()).await;
        peer.expect(text(total)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_manager_knows_whether_compression_was_negotiated() {
    let unknown = "Sec-WebSocket-Extensions: permessage-zip, permessage-deflate; no_such_parameter\r\n";
    for (upgrader, offer, agreed) in [
        (quiet(), DEFLATE, true),
        (quiet(), "", false),
        (quiet(), unknown, false),
        (quiet().without_compression(), DEFLATE, false),
    ] {
        let (ws, _peer) = open_with(upgrader, offer).await;
        assert_eq!(ws.is_compressed(), agreed, "{offer}");
    }
    for (upgrader, agreed) in [(quiet(), true), (quiet().without_compression(), false)] {
        let (client, server) = testing::pair(upgrader);
        assert_eq!((client.is_compressed(), server.is_compressed()), (agreed, agreed));
    }
}

#[tokio::test(start_paused = true)]
async fn messages_are_compressed_from_the_threshold_on() {
    let (ws, mut peer) = open_with(quiet(), DEFLATE).await;
    ws.send(json(100)).await.unwrap();
    peer.expect(text(json(100))).await;
    for size in [1000, 20_000, 300_000] {
        let (sent, frame) = tokio::join!(ws.send(json(size)), peer.recv());
        sent.unwrap();
        let frame = frame.unwrap();
        assert_eq!(frame.first, 0xc1);
        assert!(frame.payload.len() < size / 2);
        assert_eq!(inflate(&frame.payload), json(size).into_bytes());
    }
    let noise = noise(2000);
    ws.send_uncompressed(json(1000)).await.unwrap();
    peer.expect(text(json(1000))).await;
    ws.send(noise.clone()).await.unwrap();
    peer.expect(binary(noise)).await;
}

#[tokio::test(start_paused = true)]
async fn compressed_messages_compose_with_fragments_control_frames_and_single_bytes() {
    let (peer, transport, knobs) = tap(64 * 1024);
    let (ws, mut peer) = open_over(quiet(), DEFLATE, peer, transport).await;
    knobs.single_bytes();
    let data = deflate(json(500));
    let (a, rest) = data.split_at(1);
    let (b, c) = rest.split_at(30);
    peer.send_all([
        text(a).compressed().more(),
        ping("1"),
        continuation(b).more(),
        continuation("").more(),
        ping("2"),
        continuation(c),
        text("plain"),
        binary(deflate("small")).compressed(),
    ])
    .await;
    peer.expect(pong("1")).await;
    peer.expect(pong("2")).await;
    assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some(&*json(500)));
    assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("plain"));
    assert_eq!(ws.recv().await.unwrap().unwrap(), Message::binary("small"));
}

#[tokio::test(start_paused = true)]
async fn empty_compressed_messages_are_empty_messages() {
    let (ws, mut peer) = open_with(quiet(), DEFLATE).await;
    peer.send_all([
        text([0]).compressed(),
        text("").compressed(),
        binary([2, 0]).compressed(),
        text("").compressed().more(),
        continuation(""),
        text("").compressed().more(),
        continuation([0]),
        text("after"),
    ])
    .await;
    for _ in 0..5 {
        assert!(ws.recv().await.unwrap().unwrap().is_empty());
    }
    assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("after"));
}

#[tokio::test(start_paused = true)]
async fn a_context_is_taken_over_many_messages_in_both_directions() {
    let compression = Compression::default().threshold(0).server_context_takeover(true).client_context_takeover(true);
    let (ws, mut peer) = open_with(quiet().compression(compression), DEFLATE).await;
    let (mut deflate, mut inflate) = (Deflate::new(), Inflate::new());
    let mut sizes = Vec::new();
    for number in 0..200 {
        let message = format!("{number}: {}", json(300));
        peer.send(text(deflate.message(message.as_bytes())).compressed()).await;
        if number % 7 == 0 {
            // An empty and a plain message in between change nothing.
            peer.send_all([text("").compressed(), text("plain")]).await;
        }
        assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some(&*message));
        if number % 7 == 0 {
            assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some(""));
            assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("plain"));
            ws.send_uncompressed("plain").await.unwrap();
            peer.expect(text("plain")).await;
        }
        ws.send(message.clone()).await.unwrap();
        let frame = peer.recv().await.unwrap();
        assert!(frame.is_compressed());
        assert_eq!(inflate.message(&frame.payload), message.into_bytes());
        sizes.push(frame.payload.len());
    }
    assert!(sizes[1..].iter().all(|size| size * 3 < sizes[0]), "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn messages_larger_than_the_buffers_are_inflated() {
    let (ws, mut peer) = open_with(quiet(), DEFLATE).await;
    let big: Vec<u8> = noise(1_000_000).into_iter().map(|byte| byte & 0x3f).collect();
    let compressed = deflate(&big);
    assert!(compressed.len() > 200_000);
    let (message, ()) = tokio::join!(ws.recv(), peer.send(binary(compressed).compressed()));
    assert_eq!(message.unwrap().unwrap().as_bytes(), big);
}

#[tokio::test(start_paused = true)]
async fn a_closing_handshake_works_with_compression() {
    let (ws, mut peer) = open_with(quiet(), DEFLATE).await;
    ws.send(json(2000)).await.unwrap();
    peer.send_all([text(deflate("x")).compressed(), close(1000, "")]).await;
    assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("x"));
    assert!(peer.recv().await.unwrap().is_compressed());
    peer.expect_close(1000).await;
    peer.expect_end().await;
}
