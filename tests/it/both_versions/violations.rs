//! Peers that break the protocol.

use tower_websocket::{ErrorKind, Manager, WebSocketLayer};

use super::support::{
    DEFLATE, Frame, binary, close, continuation, deflate, kind, open_with, ping, pong, quiet, serve, text,
};

/// Sends these bytes, in one piece and byte by byte, and expects a close frame with this code.
async fn refused(more: &str, bytes: &[u8], code: u16) {
    for split in [false, true] {
        let (ws, mut peer) = open_with(quiet(), more).await;
        if split {
            for byte in bytes {
                if peer.try_send_raw([*byte]).await.is_err() {
                    break;
                }
                peer.settle().await;
            }
        } else {
            peer.send_raw(bytes).await;
        }
        let shown = &bytes[..bytes.len().min(20)];
        let frame = peer.recv().await.unwrap_or_else(|| panic!("no answer to {shown:02x?}"));
        assert_eq!((frame.first, &frame.payload[..2]), (0x88, &code.to_be_bytes()[..]), "{frame:?} to {shown:02x?}");
        peer.shutdown().await;
        peer.expect_end().await;
        while let Ok(message) = ws.recv().await {
            assert!(message.is_some(), "{shown:02x?}");
        }
        assert_eq!(kind(ws.done().await), ErrorKind::Protocol);
    }
}

#[tokio::test(start_paused = true)]
async fn every_violation_is_answered_with_1002() {
    for frames in [
        vec![text("x").rsv(0x40)],
        vec![text("x").rsv(0x20)],
        vec![text("x").rsv(0x10)],
        vec![binary("").rsv(0x70)],
        vec![ping("x").rsv(0x40)],
        vec![close(1000, "").rsv(0x20)],
        vec![text("x").more(), continuation("y").rsv(0x40)],
        vec![ping("x").more()],
        vec![pong("").more()],
        vec![close(1000, "").more()],
        vec![ping([0; 126])],
        vec![pong([0; 70_000])],
        vec![close(1000, [b'x'; 124])],
        vec![continuation("x")],
        vec![continuation("x").more()],
        vec![text("x"), continuation("y")],
        vec![text("x").more(), text("y")],
        vec![binary("x").more(), binary("y").more()],
        vec![text("x").more(), ping("").more()],
    ] {
        let bytes: Vec<_> = frames.iter().flat_map(Frame::masked).collect();
        // A long frame is refused by its header.
        let bytes = &bytes[..bytes.len().min(200)];
        refused("", bytes, 1002).await;
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        refused("", &Frame::new(0x80 | opcode, "x").masked(), 1002).await;
        refused("", &Frame::new(0x80 | opcode, "").masked(), 1002).await;
    }
    for frame in [text("x"), binary(""), ping("x"), close(1000, "")] {
        refused("", &frame.unmasked(), 1002).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rsv1_in_the_wrong_place_is_answered_with_1002_with_compression_too() {
    let hello = deflate("Hello");
    for frames in [
        vec![ping(&hello).compressed()],
        vec![close(1000, "").compressed()],
        vec![text(&hello[..2]).compressed().more(), continuation(&hello[2..]).compressed()],
        vec![text("x").more(), continuation(&hello).compressed()],
        vec![text(&hello).rsv(0x60)],
        vec![text(&hello).rsv(0x50)],
        vec![continuation(&hello).compressed()],
    ] {
        refused(DEFLATE, &frames.iter().flat_map(Frame::masked).collect::<Vec<_>>(), 1002).await;
    }
}

#[tokio::test(start_paused = true)]
async fn text_that_is_not_utf8_is_answered_with_1007() {
    for bytes in [&b"\xff"[..], b"caf\xe9", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"cut off \xe2\x82"] {
        refused("", &text(bytes).masked(), 1007).await;
        refused(DEFLATE, &text(deflate(bytes)).compressed().masked(), 1007).await;
        let large = [&[b'x'; 100_000][..], bytes].concat();
        refused(DEFLATE, &text(deflate(large)).compressed().masked(), 1007).await;
        let [first, rest] = [&bytes[..1], &bytes[1..]];
        refused("", &[text(first).more().masked(), continuation(rest).masked()].concat(), 1007).await;
    }
    // Wrong before the last fragment has come.
    refused("", &text(b"\xce\xba\xff").more().masked(), 1007).await;
    refused("", &[text(b"\xe2\x82").more().masked(), continuation(b"x").more().masked()].concat(), 1007).await;
}

#[tokio::test(start_paused = true)]
async fn a_character_may_be_split_between_fragments() {
    let (ws, mut peer) = open_with(quiet(), "").await;
    let [a, b, c] = ["€".as_bytes()[0], "€".as_bytes()[1], "€".as_bytes()[2]];
    peer.send_all([text([a]).more(), ping(""), continuation([b]).more(), continuation([c])]).await;
    assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("€"));
}

#[tokio::test(start_paused = true)]
async fn invalid_deflate_data_is_answered_with_1007() {
    let hello = deflate("Hello, hello, hello, hello!");
    for payload in [&b"\xff\xff\xff"[..], b"\x06", &hello[..hello.len() - 3], b"\x00\x05\x00\x00\x00Hello"] {
        refused(DEFLATE, &binary(payload).compressed().masked(), 1007).await;
    }
}

#[tokio::test(start_paused = true)]
async fn other_connections_go_on() {
    let layer = WebSocketLayer::new(|ws: Manager| async move {
        while let Some(message) = ws.recv().await? {
            ws.send(message).await?;
        }
        Ok::<_, tower_websocket::Error>(())
    });
    let service = layer.upgrader(quiet()).into_service();
    let mut good = serve(service.clone());
    good.handshake("").await;
    for frame in [text("x").rsv(0x40), Frame::new(0x83, ""), ping([0; 126]), continuation("")] {
        let mut bad = serve(service.clone());
        bad.handshake("").await;
        bad.send(frame).await;
        bad.expect_close(1002).await;
        good.send(text("fine")).await;
        good.expect(text("fine")).await;
    }
}

/// The first frame is taken before the second one arrives.
#[tokio::test(start_paused = true)]
async fn a_message_within_another_is_refused_where_each_frame_arrives_alone() {
    for (first, second) in
        [(text("x").more(), text("y")), (binary("").more(), binary("y")), (text("x").more(), text(""))]
    {
        let (ws, mut peer) = open_with(quiet(), "").await;
        peer.send(first).await;
        peer.settle().await;
        peer.send(second).await;
        let frame = peer.recv().await.unwrap();
        assert_eq!((frame.first, &frame.payload[..2]), (0x88, &1002_u16.to_be_bytes()[..]), "{frame:?}");
        assert_eq!(kind(ws.recv().await), ErrorKind::Protocol);
    }
}
