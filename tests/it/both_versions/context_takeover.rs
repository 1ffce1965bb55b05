//! Messages that refer to the ones before them must be sent in the order in which they were compressed.

use tokio::task::JoinSet;
use tower_websocket::{Compression, Message};

use super::support::{DEFLATE, Inflate, open_with, quiet};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn with_several_senders_each_message_can_be_inflated() {
    let compression = Compression::default().server_context_takeover(true).threshold(0);
    let (ws, mut peer) = open_with(quiet().compression(compression), DEFLATE).await;
    let mut senders = JoinSet::new();
    for sender in 0..8 {
        let ws = ws.clone();
        senders.spawn(async move {
            for number in 0..MESSAGES {
                let text = message(sender, number);
                // Some are not compressed, and pings come in between.
                match number % 5 {
                    0 => ws.send_uncompressed(text).await.unwrap(),
                    1 => {
                        let ws = ws.clone();
                        tokio::spawn(async move { ws.ping().await });
                    }
                    2 => ws.send(Message::binary(text.into_bytes())).await.unwrap(),
                    _ => ws.send(text).await.unwrap(),
                }
            }
        });
    }
    let mut inflate = Inflate::new();
    let mut next = [0; 8];
    for _ in 0..8 * MESSAGES * 4 / 5 {
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
        assert_eq!(text, message(sender, number));
        assert!(number >= next[sender], "{sender}: {number} after {}", next[sender]);
        next[sender] = number + 1;
    }
    senders.join_all().await;
}

fn message(sender: usize, number: usize) -> String {
    format!("{sender} {number} ").repeat(number % 4 + 1)
}

const MESSAGES: usize = 1000;
