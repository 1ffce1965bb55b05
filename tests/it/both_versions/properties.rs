//! Any messages, in any fragments, in any pieces, compressed or not, come out the same and in order.

use proptest::prelude::*;
use tower_websocket::{Compression, Message, Upgrader, WebSocketLayer};

use super::support::{DEFLATE, Deflate, Frame, Inflate, continuation, echo, ping, quiet, serve};

#[derive(Clone, Debug)]
struct Sent {
    payload: Vec<u8>,
    text: bool,
    compressed: bool,
    /// Where it is cut into frames, and after which of them a ping stands.
    cuts: Vec<(prop::sample::Index, bool)>,
}

fn sent() -> impl Strategy<Value = Sent> {
    let payload = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..300),
        1 => (any::<u8>(), 0..40_000_usize).prop_map(|(byte, len)| vec![byte; len]),
        1 => (0..100_000_u32).prop_map(|len| (0..len).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()),
        3 => "[a-zäöü€😀]{0,60}".prop_map(String::into_bytes),
    ];
    let cuts = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..5);
    (payload, any::<bool>(), cuts).prop_map(|(payload, compressed, cuts)| {
        let text = std::str::from_utf8(&payload).is_ok();
        Sent { payload, text, compressed, cuts }
    })
}

/// The frames of a message.
fn frames(sent: &Sent, deflate: Option<&mut Deflate>) -> Vec<Frame> {
    let opcode = if sent.text { 0x81 } else { 0x82 };
    let (first, payload) = match deflate.filter(|_| sent.compressed) {
        Some(deflate) => (opcode | 0x40, deflate.message(&sent.payload)),
        None => (opcode, sent.payload.clone()),
    };
    let mut cuts: Vec<_> = sent.cuts.iter().map(|(index, ping)| (index.index(payload.len() + 1), *ping)).collect();
    cuts.sort_unstable();
    let mut frames: Vec<Frame> = Vec::new();
    let mut start = 0;
    for (end, with_ping) in cuts.into_iter().chain([(payload.len(), false)]) {
        let part = &payload[start..end];
        let is_first = frames.iter().all(|frame| frame.first == 0x89);
        frames.push(if is_first { Frame::new(first, part).more() } else { continuation(part).more() });
        if with_ping {
            frames.push(ping("p"));
        }
        start = end;
    }
    frames.last_mut().unwrap().first |= 0x80;
    frames
}

async fn check(messages: Vec<Sent>, pieces: Vec<usize>, compression: bool, takeover: bool) {
    let settings =
        Compression::default().threshold(10).client_context_takeover(takeover).server_context_takeover(takeover);
    let upgrader = quiet().compression(settings);
    let mut peer = serve(WebSocketLayer::new(echo).upgrader(upgrader).into_service());
    peer.handshake(if compression { DEFLATE } else { "" }).await;
    let mut pieces = pieces.into_iter().cycle();
    let (mut deflate, mut inflate) = (Deflate::new(), Inflate::new());
    for sent in messages {
        if !takeover {
            (deflate, inflate) = (Deflate::new(), Inflate::new());
        }
        let frames = frames(&sent, compression.then_some(&mut deflate));
        let pings = frames.iter().filter(|frame| frame.first == 0x89).count();
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::masked).collect();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(pieces.next().unwrap().min(rest.len()));
            peer.send_raw(piece).await;
            if rest.len() < 3000 {
                tokio::task::yield_now().await;
            }
            rest = later;
        }
        let mut pongs = 0;
        let echoed = loop {
            let frame = peer.recv().await.unwrap();
            if frame.first != 0x8a {
                break frame;
            }
            pongs += 1;
        };
        assert_eq!(pongs, pings);
        let payload = if echoed.is_compressed() { inflate.message(&echoed.payload) } else { echoed.payload };
        assert_eq!(echoed.first & 0x0f, if sent.text { 1 } else { 2 });
        assert!(payload == sent.payload, "{} bytes became {}", sent.payload.len(), payload.len());
        if !takeover {
            inflate = Inflate::new();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_messages_in_any_fragments_and_pieces_come_back_in_order(
        messages in prop::collection::vec(sent(), 1..12),
        pieces in prop_oneof![
            prop::collection::vec(1..20_usize, 1..8),
            prop::collection::vec(1..5000_usize, 1..8),
            Just(vec![usize::MAX]),
        ],
        compression: bool,
        takeover: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(check(messages, pieces, compression, takeover));
    }

    #[test]
    fn our_own_ends_understand_each_other(
        messages in prop::collection::vec(sent(), 1..12),
        takeover: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let settings = Compression::default().threshold(10).server_context_takeover(takeover);
            let (client, server) = tower_websocket::testing::pair(Upgrader::new().compression(settings));
            for sent in messages {
                let message = if sent.text {
                    Message::text(String::from_utf8(sent.payload).unwrap())
                } else {
                    Message::binary(sent.payload)
                };
                let (result, received) = tokio::join!(server.send(message.clone()), client.recv());
                result.unwrap();
                assert_eq!(received.unwrap().unwrap(), message);
                let (result, received) = tokio::join!(client.send(message.clone()), server.recv());
                result.unwrap();
                assert_eq!(received.unwrap().unwrap(), message);
            }
        });
    }

    #[test]
    fn any_bytes_end_a_connection_or_wait_for_more(bytes in prop::collection::vec(any::<u8>(), 0..400), compression: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut peer = serve(WebSocketLayer::new(echo).into_service());
            peer.handshake(if compression { DEFLATE } else { "" }).await;
            let _ = peer.try_send_raw(&bytes).await;
            // Whatever it was, the keepalive ends it.
            peer.read_to_end().await;
        });
    }
}
