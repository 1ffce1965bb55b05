use std::ops::Range;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use serde_json::json;

use super::{
    frame::{BINARY, FIN, RSV1, TEXT, masked},
    replies::Reply,
};
use crate::workload::{Payload, Wire};

/// What every connection says, and what it expects to hear.
#[derive(Debug)]
pub struct Script {
    pub in_flight: usize,
    /// The frames of all payloads, and the first ones once more: any burst, wherever it starts, is one slice.
    pub frames: Bytes,
    starts: Vec<usize>,
    payloads: Vec<Vec<u8>>,
    opcode: u8,
    wire: Wire,
}

impl Script {
    pub fn new(payload: Payload, wire: Wire, in_flight: usize) -> Result<Self> {
        let (opcode, payloads) = payloads(payload, wire);
        let deflate = is_compressed(wire);
        let frames = payloads
            .iter()
            .map(|payload| match deflate {
                true => Ok(masked(FIN | RSV1 | opcode, &deflated(payload)?)),
                false => Ok(masked(FIN | opcode, payload)),
            })
            .collect::<Result<Vec<_>>>()?;

        let mut starts = vec![0];
        let mut circle = Vec::new();
        for frame in frames.iter().cycle().take(frames.len() + in_flight) {
            circle.extend_from_slice(frame);
            starts.push(circle.len());
        }
        Ok(Self { in_flight, frames: circle.into(), starts, payloads, opcode, wire })
    }

    /// How many different messages there are.
    pub fn variety(&self) -> u64 {
        self.payloads.len() as u64
    }

    /// Where in `frames` the messages from number `first` on are; `count` is `in_flight` at most.
    pub fn burst(&self, first: u64, count: usize) -> Range<usize> {
        let first = (first % self.variety()) as usize;
        self.starts[first]..self.starts[first + count]
    }

    /// What inflates the server's messages, each on its own or, with context takeover, one behind the other.
    pub fn inflater(&self) -> Option<Decompress> {
        is_compressed(self.wire).then(|| Decompress::new(false))
    }

    /// Checks a reply by its header, and by its payload where that was kept.
    pub fn check(&self, number: u64, reply: &Reply<'_>, inflater: &mut Option<Decompress>) -> Result<()> {
        let expected = &self.payloads[(number % self.variety()) as usize];
        ensure!(reply.opcode == self.opcode, "reply {number} has opcode {}", reply.opcode);
        ensure!(reply.compressed == inflater.is_some(), "reply {number}: compressed is {}", reply.compressed);
        ensure!(
            inflater.is_some() || reply.length == expected.len(),
            "reply {number} has {} bytes, not {}",
            reply.length,
            expected.len()
        );
        match (reply.payload, inflater) {
            (Some(payload), Some(inflater)) => {
                if self.wire == Wire::Deflate {
                    inflater.reset(false);
                }
                let inflated =
                    inflated(inflater, payload, expected.len()).with_context(|| format!("reply {number}"))?;
                ensure!(inflated == *expected, "reply {number} differs after inflating");
            }
            (Some(payload), None) => ensure!(payload == expected, "reply {number} differs"),
            (None, _) => {}
        }
        Ok(())
    }
}

/// The opcode and some different messages: few where they are large, so that they do not fill the client's caches.
fn payloads(payload: Payload, wire: Wire) -> (u8, Vec<Vec<u8>>) {
    let (opcode, size, make): (_, _, fn(usize, usize) -> Vec<u8>) = match payload {
        Payload::Ascii(size) => (TEXT, size, |size, seed| text(ASCII, size, seed)),
        Payload::Binary(size) => (BINARY, size, binary),
        Payload::Json(size) => (TEXT, size, document),
        Payload::NonAscii(size) => (TEXT, size, |size, seed| text(NON_ASCII, size, seed)),
    };
    // With context takeover they are more than the window holds: no message is met again in it.
    let most = if wire == Wire::Takeover { 64 } else { 16 };
    let variety = (256 * 1024 / size).clamp(2, most);
    (opcode, (0..variety).map(|seed| make(size, seed)).collect())
}

/// Words in a circle, from another one for each seed, to the exact size.
fn text(words: &[&str], size: usize, seed: usize) -> Vec<u8> {
    let mut text = String::with_capacity(size);
    for word in words.iter().cycle().skip(seed) {
        if text.len() + word.len() + 1 > size {
            break;
        }
        text.push_str(word);
        text.push(' ');
    }
    text.extend(std::iter::repeat_n('.', size - text.len()));
    text.into_bytes()
}

fn binary(size: usize, seed: usize) -> Vec<u8> {
    let mut random = Random(seed as u64 + 1);
    (0..size).map(|_| random.next() as u8).collect()
}

/// A status document, as servers send them: a list of records with repeating keys and varied values.
fn document(size: usize, seed: usize) -> Vec<u8> {
    const SERVICES: [&str; 6] = ["gateway", "billing", "search", "mailer", "sessions", "thumbnails"];
    const STATES: [&str; 4] = ["running", "starting", "degraded", "stopped"];
    let mut random = Random(seed as u64 + 1);
    let mut records = Vec::new();
    let mut length = 0;
    while length < size - 64 {
        let record = json!({
            "id": format!("{:016x}", random.next()),
            "service": SERVICES[random.below(6)],
            "state": STATES[random.below(4)],
            "cpu": random.below(10_000) as f64 / 100.0,
            "memory": random.below(1 << 30),
            "restarts": random.below(5),
            "updated": format!("2026-11-{:02}T{:02}:{:02}:00Z", random.below(28) + 1, random.below(24), random.below(60)),
        });
        length += record.to_string().len() + 1;
        records.push(record);
    }
    json!({ "type": "status", "sequence": seed, "services": records }).to_string().into_bytes()
}

/// xorshift64: the same messages in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }

    fn below(&mut self, bound: u64) -> usize {
        (self.next() % bound) as usize
    }
}

fn is_compressed(wire: Wire) -> bool {
    matches!(wire, Wire::Deflate | Wire::Takeover)
}

/// RFC 7692 §7.2.1: deflate, flush, and leave out the last four bytes, which are always the same.
fn deflated(payload: &[u8]) -> Result<Vec<u8>> {
    let mut compressed = Vec::with_capacity(payload.len() + 1024);
    Compress::new(Compression::default(), false).compress_vec(payload, &mut compressed, FlushCompress::Sync)?;
    ensure!(compressed.ends_with(&FLUSHED), "deflate did not flush");
    compressed.truncate(compressed.len() - FLUSHED.len());
    Ok(compressed)
}

fn inflated(inflater: &mut Decompress, compressed: &[u8], expected: usize) -> Result<Vec<u8>> {
    let mut payload = Vec::with_capacity(expected + 1024);
    let compressed = [compressed, &FLUSHED].concat();
    inflater.decompress_vec(&compressed, &mut payload, FlushDecompress::Sync)?;
    Ok(payload)
}

const FLUSHED: [u8; 4] = [0, 0, 0xff, 0xff];

const ASCII: &[&str] = &["status", "tower", "layer", "message", "socket", "echo", "42", "frame", "handshake", "ping"];
const NON_ASCII: &[&str] =
    &["Größe", "Привет", "世界", "γειά", "こんにちは", "🎉", "naïve", "żółw", "안녕", "ñandú", "ok"];
