//! Control frames that break the rules: they are answered at once, not when their payload has come.

use tower_websocket::{Compression, ErrorKind, Role};

use crate::support::{Cases, Over, Way, expect, how, open, quiet, secs, sides, text};

/// The first two bytes of frames that break the rules by themselves, the mask bit not counted.
const HEADERS: [[u8; 2]; 26] = [
    // Reserved opcodes.
    [0x8b, 5],
    [0x8c, 5],
    [0x8d, 5],
    [0x8e, 5],
    [0x8f, 5],
    [0x8b, 0],
    // Fragments.
    [0x08, 5],
    [0x09, 5],
    [0x0a, 5],
    [0x0b, 5],
    [0x09, 0],
    // Reserved bits.
    [0xc8, 5],
    [0xc9, 5],
    [0xca, 5],
    [0xa9, 5],
    [0x99, 5],
    [0xf9, 5],
    [0x49, 5],
    // More than 125 bytes.
    [0x88, 126],
    [0x89, 126],
    [0x8a, 126],
    [0x88, 127],
    [0x89, 127],
    [0x8a, 127],
    // Half a close code.
    [0x88, 1],
    // All of it.
    [0x7f, 127],
];

/// Headers with the wrong mask bit, which is part of none of these.
const MASKS: [[u8; 2]; 7] = [[0x89, 5], [0x88, 5], [0x8a, 5], [0x88, 2], [0x89, 125], [0x89, 0], [0x88, 0]];

fn mask_bit(sender: Role) -> u8 {
    match sender {
        Role::Client => 0x80,
        Role::Server => 0,
    }
}

/// The peer sends this and waits.
async fn is_refused_at_once(role: Role, over: Over, before: Option<Vec<u8>>, header: [u8; 2]) {
    let (ws, mut peer) = open(role, over, Way::DIRECT, quiet().compression(Compression::default())).await;
    if let Some(before) = before {
        peer.send_raw(before).await;
        peer.settle().await;
    }
    peer.send_raw(header).await;
    let answer = tokio::time::timeout(secs(3), peer.recv_close()).await;
    expect("the answer", answer.ok().flatten(), Some(1002));
    peer.shutdown().await;
    expect("ours", how(ws.done().await), Err(ErrorKind::Protocol));
}

fn sender(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

#[tokio::test]
async fn a_control_frame_that_breaks_the_rules_is_answered_before_its_payload() {
    let mut cases = Cases::default();
    for (role, over) in sides(&[Over::Tcp, Over::Memory]) {
        for [first, second] in HEADERS {
            let header = [first, second | mask_bit(sender(role))];
            cases.add(format!("{role:?}, {over}, {header:02x?}"), is_refused_at_once(role, over, None, header));
        }
    }
    for (role, over) in sides(&[Over::Tls, Over::Http2, Over::Http2Tls, Over::Unix]) {
        for [first, second] in [[0x8b, 5], [0x09, 5], [0xc9, 5]] {
            let header = [first, second | mask_bit(sender(role))];
            cases.add(format!("{role:?}, {over}, {header:02x?}"), is_refused_at_once(role, over, None, header));
        }
    }
    cases.finish().await;
}

#[tokio::test]
async fn a_control_frame_with_the_wrong_mask_bit_is_answered_before_its_payload() {
    let mut cases = Cases::default();
    for (role, over) in sides(&[Over::Tcp, Over::Memory, Over::Http2]) {
        for [first, second] in MASKS {
            let header = [first, second | mask_bit(role)];
            cases.add(format!("{role:?}, {over}, {header:02x?}"), is_refused_at_once(role, over, None, header));
        }
    }
    cases.finish().await;
}

#[tokio::test]
async fn a_control_frame_that_breaks_the_rules_within_a_message_is_answered_before_its_payload() {
    let mut cases = Cases::default();
    for (role, over) in sides(&[Over::Tcp, Over::Memory]) {
        for [first, second] in HEADERS {
            let begun = text("begun").more();
            let begun = if role == Role::Server { begun.masked() } else { begun.unmasked() };
            let header = [first, second | mask_bit(sender(role))];
            let case = is_refused_at_once(role, over, Some(begun), header);
            cases.add(format!("{role:?}, {over}, {header:02x?}"), case);
        }
    }
    cases.finish().await;
}

#[tokio::test]
async fn an_invalid_control_frame_after_unread_messages_is_answered() {
    let mut cases = Cases::default();
    for (role, over) in sides(&[Over::Tcp, Over::Memory]) {
        for [first, second] in [[0x8b, 5], [0x09, 5], [0xc9, 5], [0x88, 1]] {
            let two = [text("unread"), text("unread")];
            let two = two.map(|text| if role == Role::Server { text.masked() } else { text.unmasked() }).concat();
            let header = [first, second | mask_bit(sender(role))];
            let case = is_refused_at_once(role, over, Some(two), header);
            cases.add(format!("{role:?}, {over}, {header:02x?}"), case);
        }
    }
    cases.finish().await;
}
