//! Messages that refer to the ones before them must be sent in the order in which they were compressed.

use tokio::task::JoinSet;
use tower_websocket::{Compression, Message};

use super::support::{DEFLATE, Inflate, open_with, quiet};

#[tokio::test(start_paused = true)]
async fn with_several_senders_each_message_can_be_inflated() {
    let compression = Compression::default().server_context_takeover(true).threshold(0);
    let (ws, mut peer) = open_with(quiet().compression(compression), DEFLATE).await;
    let mut senders = JoinSet::new();
    for sender in 0..8 {
        let ws = ws.clone();
        senders.spawn(async move {
            for number in 0..50 {
                // Some wait for room, some are not compressed, and some come in between.
                let text = format!("{sender} {number} ").repeat(number * 40 + 1);
                match number % 5 {
                    0 => ws.send_uncompressed(text).await.unwrap(),
                    1 => drop(ws.ping()),
                    2 => ws.send(Message::binary(text.into_bytes())).await.unwrap(),
                    _ => ws.send(text).await.unwrap(),
                }
                if number % 7 == sender % 7 {
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    let mut inflate = Inflate::new();
    let mut next = [0; 8];
    for _ in 0..8 * 40 {
        let frame = loop {
            let frame = peer.recv().await.unwrap();
            if frame.first != 0x89 {
                break frame;
            }
        };
        let payload = if frame.is_compressed() { inflate.message(&frame.payload) } else { frame.payload };
        let text = String::from_utf8(payload).unwrap();
        let mut words = text.split(' ');
        let sender: usize = words.next().unwrap().parse().unwrap();
        let number: usize = words.next().unwrap().parse().unwrap();
        assert_eq!(text, format!("{sender} {number} ").repeat(number * 40 + 1));
        assert!(number >= next[sender], "{sender}: {number} after {}", next[sender]);
        next[sender] = number + 1;
    }
    senders.join_all().await;
}
