//! The other end: it plays its script, answers pings and a close frame, and reads to the end.

use tokio::io::{AsyncWriteExt, DuplexStream};
use tower_websocket::Role;

use crate::shared::{Frame, Peer, close, pong};

/// What the peer sends, all of it at once.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) frames: Vec<Frame>,
    /// Bytes behind the frames, such as a part of another.
    pub(crate) rest: Vec<u8>,
    /// The peer ends its side of the transport behind that.
    pub(crate) ends: bool,
}

/// Takes the frames from the front that were sent by this role.
pub(crate) fn frames(sender: Role, bytes: &mut Vec<u8>) -> Vec<Frame> {
    std::iter::from_fn(|| Frame::take_from(sender, bytes)).collect()
}

/// Plays the script to the end of the transport. What our side does to the transport is no matter here.
pub(super) async fn play(mut peer: Peer<DuplexStream>, script: Script) {
    let mut bytes: Vec<u8> = script.frames.iter().flat_map(|frame| peer.encode(frame)).collect();
    bytes.extend_from_slice(&script.rest);
    let _ = peer.try_send_raw(&bytes).await;
    if script.ends {
        let _ = peer.io.shutdown().await;
    }
    let mut closed = script.ends || script.frames.iter().any(|frame| frame.first == 0x88);
    while let Some(frame) = peer.recv().await {
        let answer = match frame.first {
            0x88 if closed => None,
            0x88 => {
                closed = true;
                Some(close(1000, ""))
            }
            0x89 if !closed => Some(pong(&frame.payload)),
            _ => None,
        };
        if let Some(answer) = answer {
            let _ = peer.try_send(answer).await;
        }
        if frame.first == 0x88 {
            let _ = peer.io.shutdown().await;
        }
    }
}
