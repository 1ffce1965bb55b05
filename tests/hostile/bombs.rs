//! Little data that inflates to much.

use tokio::io::AsyncWriteExt;
use tower_websocket::{Budget, Compression, ErrorKind, Limits};

use crate::deflate::{Deflate, deflate};
use crate::shared::{Frame, binary, continuation, handed_over, quiet};
use crate::support::{alone, close_code, grown, open, resident, serve};

const MIB: usize = 1 << 20;
const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

/// Frames that hold one compressed message in fragments of so many bytes.
fn fragments(payload: &[u8], size: usize) -> Vec<u8> {
    let count = payload.len().div_ceil(size);
    let frame = |(number, part): (usize, &[u8])| {
        let frame: Frame = if number == 0 { binary(part).compressed() } else { continuation(part) };
        if number + 1 < count { frame.more().masked() } else { frame.masked() }
    };
    payload.chunks(size).enumerate().flat_map(frame).collect()
}

#[test]
fn bombs_of_every_shape_are_refused_within_the_limit() {
    alone(async {
        let budget = Budget::new(16 * MIB);
        let compression = Compression::default().client_context_takeover(true);
        let limits = Limits::default().max_message_size(2 * MIB).budget(budget.clone());
        let (layer, mut managers) = handed_over();
        let address = serve(layer.upgrader(quiet().compression(compression).limits(limits))).await;
        let bomb = deflate(vec![0; 64 * MIB]);
        let mut takeover = Deflate::new();
        let first = takeover.message(&vec![1; MIB]);
        let second = takeover.message(&vec![1; 64 * MIB]);
        // Blocks that hold nothing, before as many bytes as are too many.
        let stored = [[0, 0, 0, 0xff, 0xff].repeat(10_000), deflate(vec![0; 3 * MIB])].concat();
        // A stream that ends, and another, and another.
        let ending = [&deflate(vec![0; MIB])[..], &[0, 0, 0xff, 0xff, 3, 0]].concat().repeat(64);
        for (shape, bytes, received) in [
            ("at once", fragments(&bomb, usize::MAX), 0),
            ("in fragments", fragments(&bomb, 1000), 0),
            ("in tiny fragments", fragments(&bomb, 3), 0),
            ("with takeover", [fragments(&first, usize::MAX), fragments(&second, usize::MAX)].concat(), 1),
            ("behind empty blocks", fragments(&stored, usize::MAX), 0),
            ("in many streams", fragments(&ending, usize::MAX), 0),
        ] {
            let mut stream = open(address, OFFER).await;
            let ws = managers.recv().await.unwrap();
            let before = resident();
            // It may be refused before the last of it.
            let _ = stream.write_all(&bytes).await;
            for _ in 0..received {
                assert_eq!(ws.recv().await.unwrap().unwrap().len(), MIB);
            }
            let error = ws.recv().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::MessageTooBig, "{shape}");
            assert_eq!(close_code(&mut stream).await, Some(1009), "{shape}");
            assert!(grown(before) < 24, "{shape}: {} MiB more", grown(before));
            assert_eq!(budget.used(), 0, "{shape}");
        }
    });
}

#[test]
fn bombs_that_are_not_received_stay_within_the_budget() {
    alone(async {
        let budget = Budget::new(16 * MIB);
        let limits = Limits::default().max_message_size(2 * MIB).budget(budget.clone());
        let (layer, mut managers) = handed_over();
        let address = serve(layer.upgrader(quiet().compression(Compression::default()).limits(limits))).await;
        let before = resident();
        let message = fragments(&deflate(vec![0; 2 * MIB]), usize::MAX).repeat(50);
        let mut streams = Vec::new();
        let mut handles = Vec::new();
        for _ in 0..20 {
            let mut stream = open(address, OFFER).await;
            handles.push(managers.recv().await.unwrap());
            // What does not fit into the sockets is not needed.
            let _ = stream.try_write(&message);
            stream.flush().await.unwrap();
            streams.push(stream);
        }
        // One message for each connection, as far as the budget has room for them.
        let mut open = 0;
        for ws in &handles {
            match ws.recv().await {
                Ok(message) => {
                    assert_eq!(message.unwrap().len(), 2 * MIB);
                    open += 1;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::BudgetExceeded),
            }
            assert!(budget.used() <= 20 * MIB, "{}", budget.used());
        }
        assert!(open >= 4, "only {open} received theirs");
        assert!(grown(before) < 64, "{} MiB more", grown(before));
        drop((streams, handles));
    });
}
